# V8: its own JIT compilers, garbage collection, regular expressions, big integers, worker threads, WebAssembly.
cat >t.js <<'J'
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
let hash = 0;
for (let i = 0; i < 300000; i++) hash = (Math.imul(hash, 31) + i) | 0;
const a = Float64Array.from({ length: 1000 }, (_, i) => Math.sqrt(i) * Math.sin(i));
let sum = 0;
for (let k = 0; k < 50; k++) for (const x of a) sum += x;
const m = new Map();
for (let i = 0; i < 20000; i++) m.set(`k${i % 997}`, (m.get(`k${i % 997}`) ?? 0) + i);
console.log(fib(22), hash, sum.toFixed(9), m.get('k5'), JSON.stringify({ x: [1, 2, { y: 'z' }] }));
console.log(/(\w+)@(\w+)/.exec('me@host').slice(1).join(), 2n ** 200n % 1000000007n, [0.1, 1e21, -0, NaN, 5e-324].map(String).join());
let junk = [];
for (let i = 0; i < 60000; i++) { junk.push({ i, s: 'x'.repeat(i % 50) }); if (junk.length > 5000) junk = []; }
console.log(junk.length, [5, 1, 4].toSorted().join(), new Date(86400000).toISOString(), (25).toString(2));
class A { #v = 1; get v() { return this.#v; } } class B extends A { constructor() { super(); this.w = this.v + 1; } }
let w = 0;
for (let i = 0; i < 20000; i++) { const o = i % 3 ? new B() : { v: i, w: 1 }; w += o.w + o.v % 7; }
try { null.x; } catch (e) { console.log(w, e.message); }
const code = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 124, 124, 1, 124, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 10, 1, 8, 0, 32, 0, 32, 1, 163, 159, 11]);
console.log(new WebAssembly.Instance(new WebAssembly.Module(code)).exports.f(2, 1));
const { Worker } = require('worker_threads');
new Worker('let s=0;for(let i=0;i<1e5;i++)s+=i;require("worker_threads").parentPort.postMessage(s)', { eval: true }).on('message', (v) => console.log('worker', v));
setTimeout(() => console.log('timer', require('zlib').gunzipSync(require('zlib').gzipSync('y'.repeat(1e5))).length), 10);
J
node t.js | sort
node -e 'console.log(require("crypto").createHash("sha256").update("abc").digest("hex"))'
