// A complete in-memory FileSystemProvider for scheme "demofs", seeded from <extension origin>/workspace.
//
// It lives in the web extension host, as the file systems of vscode.dev do. The tree is also reachable
// as globalThis.demofs in that worker, so that a test can look at and change files without the editor.
const vscode = require('vscode');

const { FileType, FileChangeType, FileSystemError } = vscode;

class Entry {
    constructor(type) {
        this.type = type;
        this.ctime = this.mtime = Date.now();
        if (type === FileType.Directory) this.children = new Map();
        else this.data = new Uint8Array(0);
    }
    get size() {
        return this.type === FileType.Directory ? 0 : this.data.byteLength;
    }
}

function split(path) {
    return path.split('/').filter((p) => p !== '');
}

class DemoFs {
    constructor() {
        this.root = new Entry(FileType.Directory);
        this.changed = new vscode.EventEmitter();
        this.onDidChangeFile = this.changed.event;
        this.pending = [];
        this.watches = 0;
        this.ready = Promise.resolve();
    }

    // Events are sent together a moment later, as a real watcher would.
    notify(...events) {
        if (this.pending.length === 0) {
            setTimeout(() => {
                const batch = this.pending;
                this.pending = [];
                this.changed.fire(batch);
            }, 10);
        }
        this.pending.push(...events.map(([type, uri]) => ({ type, uri })));
    }

    find(uri) {
        let at = this.root;
        for (const name of split(uri.path)) {
            if (at.type !== FileType.Directory) throw FileSystemError.FileNotADirectory(uri);
            at = at.children.get(name);
            if (!at) throw FileSystemError.FileNotFound(uri);
        }
        return at;
    }

    // The directory that holds uri's last name.
    parent(uri) {
        const names = split(uri.path);
        const name = names.pop();
        if (name === undefined) throw FileSystemError.NoPermissions(uri);
        const dir = this.find(uri.with({ path: '/' + names.join('/') }));
        if (dir.type !== FileType.Directory) throw FileSystemError.FileNotADirectory(uri);
        return [dir, name];
    }

    watch() {
        this.watches++;
        return new vscode.Disposable(() => this.watches--);
    }

    async stat(uri) {
        await this.ready;
        const e = this.find(uri);
        return { type: e.type, ctime: e.ctime, mtime: e.mtime, size: e.size };
    }

    async readDirectory(uri) {
        await this.ready;
        const e = this.find(uri);
        if (e.type !== FileType.Directory) throw FileSystemError.FileNotADirectory(uri);
        return [...e.children].map(([name, child]) => [name, child.type]);
    }

    async readFile(uri) {
        await this.ready;
        const e = this.find(uri);
        if (e.type === FileType.Directory) throw FileSystemError.FileIsADirectory(uri);
        return e.data.slice();
    }

    async createDirectory(uri) {
        await this.ready;
        const [dir, name] = this.parent(uri);
        if (dir.children.has(name)) throw FileSystemError.FileExists(uri);
        dir.children.set(name, new Entry(FileType.Directory));
        dir.mtime = Date.now();
        this.notify([FileChangeType.Created, uri]);
    }

    async writeFile(uri, content, options) {
        await this.ready;
        const [dir, name] = this.parent(uri);
        let e = dir.children.get(name);
        if (e && e.type === FileType.Directory) throw FileSystemError.FileIsADirectory(uri);
        if (!e && !options.create) throw FileSystemError.FileNotFound(uri);
        if (e && options.create && !options.overwrite) throw FileSystemError.FileExists(uri);
        const created = !e;
        if (created) {
            e = new Entry(FileType.File);
            dir.children.set(name, e);
            dir.mtime = e.mtime;
        }
        e.data = content.slice(); // the caller may go on using its buffer
        e.mtime = Math.max(Date.now(), created ? 0 : e.mtime + 1); // each write is seen to be one
        this.notify([created ? FileChangeType.Created : FileChangeType.Changed, uri]);
    }

    async delete(uri, options) {
        await this.ready;
        const [dir, name] = this.parent(uri);
        const e = dir.children.get(name);
        if (!e) throw FileSystemError.FileNotFound(uri);
        if (e.type === FileType.Directory && e.children.size > 0 && !options.recursive)
            throw new FileSystemError(`${uri.path} is not empty`);
        dir.children.delete(name);
        dir.mtime = Date.now();
        this.notify([FileChangeType.Deleted, uri]);
    }

    async rename(from, to, options) {
        await this.ready;
        const [fromDir, fromName] = this.parent(from);
        const e = fromDir.children.get(fromName);
        if (!e) throw FileSystemError.FileNotFound(from);
        const [toDir, toName] = this.parent(to);
        const old = toDir.children.get(toName);
        if (old === e) return;
        if (old && !options.overwrite) throw FileSystemError.FileExists(to);
        if ((to.path + '/').startsWith(from.path + '/')) throw FileSystemError.NoPermissions('a folder cannot move into itself');
        fromDir.children.delete(fromName);
        toDir.children.set(toName, e);
        fromDir.mtime = toDir.mtime = Date.now();
        this.notify([FileChangeType.Deleted, from], [old ? FileChangeType.Changed : FileChangeType.Created, to]);
    }

    // Without events: the content the workspace starts with.
    plant(path, data) {
        const names = split(path);
        const last = names.pop();
        let at = this.root;
        for (const n of names) {
            if (!at.children.has(n)) at.children.set(n, new Entry(FileType.Directory));
            at = at.children.get(n);
        }
        const e = new Entry(data === undefined ? FileType.Directory : FileType.File);
        if (data !== undefined) e.data = data;
        at.children.set(last, e);
    }
}

// The server lists the folder's files: [{ "path": "hello.c" }, ...] relative to <origin>/workspace/.
async function seed(fs, base, folder) {
    const get = async (url) => {
        const response = await fetch(url);
        if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
        return response;
    };
    fs.plant(folder);
    const list = await (await get(`${base}/index.json`)).json();
    await Promise.all(
        list.map(async ({ path }) => {
            const url = `${base}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
            fs.plant(`${folder}/${path}`, new Uint8Array(await (await get(url)).arrayBuffer()));
        }),
    );
}

// For tests, in this worker: everything by path and text.
function testDoor(fs) {
    const uri = (path) => vscode.Uri.from({ scheme: 'demofs', path });
    return {
        read: async (path) => new TextDecoder().decode(await fs.readFile(uri(path))),
        write: (path, text) => fs.writeFile(uri(path), new TextEncoder().encode(text), { create: true, overwrite: true }),
        stat: (path) => fs.stat(uri(path)),
        list: async (path) => (await fs.readDirectory(uri(path))).map(([name]) => name).sort(),
        remove: (path) => fs.delete(uri(path), { recursive: true }),
        rename: (from, to) => fs.rename(uri(from), uri(to), { overwrite: true }),
        exists: (path) => fs.stat(uri(path)).then(() => true, () => false),
    };
}

exports.activate = (context) => {
    const fs = new DemoFs();
    const base = context.extensionUri.with({ path: '/workspace' }).toString(true);
    fs.ready = seed(fs, base, '/demo').catch((e) => {
        void vscode.window.showErrorMessage(`The demo workspace could not be loaded: ${e.message}`);
    });
    globalThis.demofs = testDoor(fs);
    context.subscriptions.push(vscode.workspace.registerFileSystemProvider('demofs', fs, { isCaseSensitive: true }));
};
