// Flow control for a terminal that takes any amount without complaint and draws it later (VS Code's
// Pseudoterminal). After a good deal of output a cursor position report is asked for in its rarely
// used private form, ESC [ ? 6 n; the terminal answers when it has parsed everything before it, and
// only then does the guest get leave to send more. The answer is taken out of the input again.
//
// Tried and rejected: a fixed rate, which is either too slow or lets Ctrl-C wait behind megabytes.

const REQUEST = '\x1b[?6n';
const ANSWER = /\x1b\[\?\d+;\d+(?:;\d+)?R/;
const MARK_BYTES = 32768; // unacknowledged output that asks for a report
const PATIENCE_MS = 2000; // a terminal that never answers must not stop the guest for ever

type State = 'ground' | 'escape' | 'csi' | 'string' | 'stringEscape';

/** Whether text ends inside an escape sequence, where nothing may be put in between. */
export class EscapeTracker {
  private state: State = 'ground';

  get idle(): boolean {
    return this.state === 'ground';
  }

  feed(text: string): void {
    for (let i = 0; i < text.length; i++) this.state = this.step(text.charCodeAt(i));
  }

  private step(c: number): State {
    if (this.state === 'string' || this.state === 'stringEscape') {
      if (c === 0x07 || c === 0x18 || c === 0x1a || c === 0x9c) return 'ground';
      if (c === 0x1b) return 'stringEscape';
      return this.state === 'stringEscape' && c === 0x5c ? 'ground' : 'string';
    }
    if (c === 0x1b) return 'escape';
    if (c === 0x18 || c === 0x1a) return 'ground';
    if (this.state === 'csi') return c >= 0x40 && c <= 0x7e ? 'ground' : 'csi';
    if (this.state === 'escape') {
      if (c === 0x5b) return 'csi'; // [
      if (c === 0x5d || c === 0x50 || c === 0x58 || c === 0x5e || c === 0x5f) return 'string'; // ] P X ^ _
      return c >= 0x20 && c <= 0x2f ? 'escape' : 'ground';
    }
    return 'ground';
  }
}

export class TerminalPacer {
  private readonly tracker = new EscapeTracker();
  private unmarked = 0;
  private waiting: { resolve: () => void; timer: ReturnType<typeof setTimeout> }[] = [];

  constructor(private readonly write: (text: string) => void) {}

  /** Writes; resolves when the terminal may be given more. */
  output(text: string): Promise<void> {
    this.tracker.feed(text);
    this.write(text);
    this.unmarked += text.length;
    if (this.unmarked < MARK_BYTES || !this.tracker.idle) return Promise.resolve();
    this.unmarked = 0;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(), PATIENCE_MS);
      this.waiting.push({ resolve, timer });
      this.write(REQUEST);
    });
  }

  private answered(): void {
    const first = this.waiting.shift();
    if (first === undefined) return;
    clearTimeout(first.timer);
    first.resolve();
  }

  /** What the user typed: the input without the terminal's answers to us. */
  input(text: string): string {
    while (this.waiting.length > 0) {
      const match = ANSWER.exec(text);
      if (match === null) break;
      text = text.slice(0, match.index) + text.slice(match.index + match[0].length);
      this.answered();
    }
    return text;
  }

  dispose(): void {
    while (this.waiting.length > 0) this.answered();
  }
}
