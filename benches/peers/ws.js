// The npm package `ws` on node, echoing as its README does. What it is told on the command line is what the other measured
// servers are told: --listen ADDRESS:PORT, and --deflate no-takeover|takeover.
'use strict';
const { WebSocketServer } = require('ws');

const setting = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const [host, port] = (setting('--listen') ?? '127.0.0.1:0').split(':');
const deflate = setting('--deflate');
// Every message is compressed, however short; the library's own threshold is 1 KiB.
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 };
const perMessageDeflate = { undefined: false, 'no-takeover': noTakeover, takeover: { threshold: 0 } }[deflate];
if (perMessageDeflate === undefined) throw new Error(`--deflate ${deflate}`);

const server = new WebSocketServer({ host, port: Number(port), perMessageDeflate, backlog: 4096 });
server.on('listening', () => console.log(`listening on ${host}:${server.address().port}`));
server.on('connection', (socket) => {
  // A connection that fails is the generator's to report: it counts what comes back.
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
