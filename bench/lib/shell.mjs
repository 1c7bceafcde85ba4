// A shell on a pipe, and how long its commands take by the clock of this side: the guest's own clock is
// one of the things under test. Runs in Node and in the page.

export const READY = '@@0 ';
const LIMIT_S = 400; // a command takes seconds, or a minute on a busy machine; this is a guest that hangs
const now = () => performance.now();

export class Shell {
    /** write(text) sends to the shell's stdin; what it prints must be given to feed(). */
    constructor(write) {
        this.write = write;
        this.decoder = new TextDecoder();
        this.text = '';
        this.count = 0;
        this.waiting = undefined;
        this.gone = undefined;
    }

    feed(bytes) {
        this.text += this.decoder.decode(bytes, { stream: true });
        const at = this.waiting && this.text.indexOf(this.waiting.mark);
        if (this.waiting === undefined || at < 0) return;
        const end = this.text.indexOf('\n', at + this.waiting.mark.length);
        if (end < 0) return;
        const { mark, begin, resolve } = this.waiting;
        const seconds = (now() - begin) / 1000;
        const status = Number(this.text.slice(at + mark.length, end));
        const output = this.text.slice(0, at).replace(/^\n+|\n+$/g, '');
        this.text = this.text.slice(end + 1);
        this.waiting = undefined;
        resolve({ seconds, status, output });
    }

    /** The guest has ended: a command that was running never will. */
    end(why) {
        this.gone = why;
        this.waiting?.reject(new Error(`${why}\n${this.text.slice(-2000)}`));
        this.waiting = undefined;
    }

    // What comes before a line "MARK STATUS".
    expect(mark) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => this.end(`nothing for ${LIMIT_S} s`), LIMIT_S * 1000);
            const settled = (f) => (value) => {
                clearTimeout(timer);
                f(value);
            };
            this.waiting = { mark, begin: now(), resolve: settled(resolve), reject: settled(reject) };
            this.feed(new Uint8Array());
        });
    }

    /** For a shell that is not ready from the start: until something has printed READY. */
    ready() {
        return this.expect(READY);
    }

    /** Runs a command that must succeed: { seconds, output }. */
    async run(command) {
        if (this.gone !== undefined) throw new Error(this.gone);
        // In two pieces, so that a shell that echoes its input does not print it whole.
        const id = ++this.count;
        const done = this.expect(`@@${id} `);
        this.write(`{ ${command}\n} </dev/null 2>&1; printf '\\n@%s%d %d\\n' @ ${id} $?\n`);
        const result = await done;
        if (result.status !== 0) throw new Error(`${command}: status ${result.status}\n${result.output}`);
        return result;
    }
}
