// Everything that crosses between the page (or extension host) and the VM's worker.
// Byte arrays are transferred, not copied: the sender must not use them afterwards.

export type Bytes = Uint8Array<ArrayBuffer>;

/** The process of a session, as `docker run` would take it. What is left out comes from the image. */
export interface ProcessOptions {
  readonly args?: readonly string[];
  readonly entrypoint?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Only where neither `env` nor the image has the variable. */
  readonly defaultEnv?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly user?: string;
  /** An interactive shell: the image's own command when that is one, else the best that /bin/sh finds. */
  readonly shell?: boolean;
  readonly cols?: number;
  readonly rows?: number;
}

export interface VolumeOptions {
  readonly guest: string;
  readonly readonly: boolean;
}

export interface VmOptions {
  readonly arch: string;
  readonly memory?: number;
  /** How guest code runs: translated to WebAssembly where it is hot (the default), or interpreted only. */
  readonly engine?: 'interp' | 'jit' | 'eval';
  /** For finding bugs: passes of the translator to leave out, ways to make life hard (src/exec/switches.def). */
  readonly no?: string;
  readonly torture?: string;
  readonly hostname?: string;
  readonly kernelCommandLine?: string;
  readonly imageUrl: string;
  readonly imageTag?: string;
  readonly volumes: readonly VolumeOptions[];
  readonly process: ProcessOptions;
}

export type Step = 'engine' | 'kernel' | 'image' | 'boot';

/** What goes on until the first session runs. `done` closes a step; bytes count within the step. */
export interface Progress {
  readonly step: Step;
  readonly text: string;
  readonly bytes?: number;
  readonly total?: number;
  readonly done: boolean;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export type StopReason =
  | 'poweroff' // the main process ended, or the guest switched itself off
  | 'failed' // kernel panic and the like
  | 'error'; // it could not start, or the engine broke

/** Numbers of `enum remote_op` in src/p9/fs_remote.h. */
export const RemoteOp = {
  stat: 0,
  readDirectory: 1,
  readFile: 2,
  writeFile: 3,
  createDirectory: 4,
  delete: 5,
  rename: 6,
} as const;
export type RemoteOp = (typeof RemoteOp)[keyof typeof RemoteOp];

export type ToWorker =
  | {
      readonly type: 'start';
      readonly options: VmOptions;
      readonly wasm: Bytes;
      /** gzip'd or plain */
      readonly kernel: Bytes;
      readonly initrd: Bytes;
    }
  | { readonly type: 'spawn'; readonly request: number; readonly process: ProcessOptions }
  | { readonly type: 'stdin'; readonly session: number; readonly data: Bytes }
  | { readonly type: 'stdinEof'; readonly session: number }
  | {
      readonly type: 'resize';
      readonly session: number;
      readonly cols: number;
      readonly rows: number;
    }
  | { readonly type: 'signal'; readonly session: number; readonly signal: number }
  /** The terminal has dealt with so many bytes: the guest may send as many more. */
  | { readonly type: 'outputDone'; readonly session: number; readonly bytes: number }
  | {
      readonly type: 'fsDone';
      readonly volume: number;
      readonly id: number;
      readonly data: Bytes;
    }
  | {
      readonly type: 'fsFail';
      readonly volume: number;
      readonly id: number;
      readonly code: string;
    }
  | { readonly type: 'fsChanged'; readonly volume: number; readonly path: string }
  /** TERM to everything, workspace files written, then `stopped`. */
  | { readonly type: 'shutdown' }
  /** Workspace files written, then `stopped`; the guest is not asked. */
  | { readonly type: 'kill' }
  | { readonly type: 'stats' }
  | { readonly type: 'profile'; readonly of: 'kernel' | 'programs' };

export type FromWorker =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'started' }
  | { readonly type: 'spawned'; readonly request: number; readonly session: number }
  | { readonly type: 'spawnFailed'; readonly request: number; readonly message: string }
  | {
      readonly type: 'output';
      readonly session: number;
      readonly stream: 'stdout' | 'stderr';
      readonly data: Bytes;
    }
  | { readonly type: 'exited'; readonly session: number; readonly status: number }
  | { readonly type: 'message'; readonly session: number; readonly text: string }
  | { readonly type: 'console'; readonly data: Bytes }
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }
  | {
      readonly type: 'fsRequest';
      readonly volume: number;
      readonly id: number;
      readonly op: RemoteOp;
      readonly path: string;
      readonly path2?: string;
      readonly data?: Bytes;
    }
  | {
      readonly type: 'stats';
      readonly instructions: number;
      readonly memory: number;
      readonly busyMs: number;
      /** `struct cpu_stats` by name. */
      readonly engine: Readonly<Record<string, number>>;
    }
  /** Code that is hot (`cpu_profile`, `cpu_profile_programs`). */
  | { readonly type: 'profile'; readonly text: string }
  | { readonly type: 'stopped'; readonly reason: StopReason; readonly message: string };
