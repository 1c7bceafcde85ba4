// Takes the README's picture anew: node docs/images/shot.mjs (after make demo-build; writes vscode-gcc.png here).
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ok, startContainer } from '../../test/e2e/container.mjs';
import { Session, sleep } from '../../test/e2e/driver.mjs';

const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'vscode-gcc.png');
const s = await Session.open('readme', { settings: { 'workbench.colorTheme': 'Default Dark Modern' } });
try {
    await s.openFile('hello.c');
    await startContainer(s);
    await ok(s, 'cd /workspace'); // the files' first look at the folder is not part of the picture
    await s.press('Control+l');
    await s.type('uname -srm; grep PRETTY /etc/os-release');
    await s.press('Enter');
    await s.waitForText(/PRETTY_NAME=".*\n.*[#$]\s*$/);
    await s.type('gcc hello.c -o /tmp/hello && /tmp/hello');
    await s.press('Enter');
    await s.waitForText(/in your browser/, 300_000);
    await s.type('ls -l');
    await s.press('Enter');
    await s.waitForText(/hello\.c\n.*[#$]\s*$/);
    await sleep(1000);
    await s.page.screenshot({ path: file });
} finally {
    await s.close();
}
