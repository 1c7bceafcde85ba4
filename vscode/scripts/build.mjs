// Bundles the extension: node build.mjs OUTFILE. esbuild is the one pinned in web/.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { build } = createRequire(path.join(root, '../web/package.json'))('esbuild');

await build({
  entryPoints: [path.join(root, 'src/extension.ts')],
  tsconfig: path.join(root, 'tsconfig.json'),
  bundle: true,
  format: 'cjs', // the web extension host refuses ES modules
  platform: 'browser',
  external: ['vscode'],
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  outfile: path.resolve(process.argv[2]),
});
