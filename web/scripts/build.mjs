// Bundles the package and the demo page.
//   node build.mjs package OUTDIR    worker.js (classic script) and index.js (module)
//   node build.mjs demo OUTDIR       main.js and main.css of the demo page
//   node build.mjs tests OUTDIR      internals.mjs: the modules that the tests look into
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const [, , what, out] = process.argv;
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const from = (p) => path.join(root, p);
const common = {
  bundle: true,
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  absWorkingDir: root,
};

if (what === 'package') {
  await build({
    ...common,
    entryPoints: [from('src/worker/worker.ts')],
    format: 'iife',
    outfile: path.resolve(out, 'worker.js'),
  });
  await build({
    ...common,
    entryPoints: [from('src/page/index.ts')],
    format: 'esm',
    outfile: path.resolve(out, 'index.js'),
  });
} else if (what === 'demo') {
  await build({
    ...common,
    entryPoints: [from('demo/main.ts')],
    format: 'esm',
    outfile: path.resolve(out, 'main.js'),
  });
} else if (what === 'tests') {
  await build({
    ...common,
    minify: false,
    entryPoints: [from('../test/web/support/internals.ts')],
    format: 'esm',
    outfile: path.resolve(out, 'internals.mjs'),
  });
} else {
  console.error('usage: node build.mjs package|demo|tests OUTDIR');
  process.exit(2);
}
