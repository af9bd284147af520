// Bun's own server, echoing or publishing as its documentation does. What it is told on the command line is what the other
// measured servers are told: --listen ADDRESS:PORT, --deflate no-takeover|takeover, --fan-out.
const setting = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const [hostname, port] = (setting('--listen') ?? '127.0.0.1:0').split(':');
const deflate = setting('--deflate');
const fanOut = process.argv.includes('--fan-out');
// One compressor for all connections keeps nothing between messages; one for each keeps all of it.
const shared = { compress: 'shared', decompress: 'shared' };
const dedicated = { compress: 'dedicated', decompress: 'dedicated' };
const perMessageDeflate = { undefined: false, 'no-takeover': shared, takeover: dedicated }[deflate];
if (perMessageDeflate === undefined) throw new Error(`--deflate ${deflate}`);
const isCompressed = perMessageDeflate !== false;

const server = Bun.serve({
  hostname,
  port: Number(port),
  fetch(request, server) {
    const isPublisher = new URL(request.url).pathname === '/publish';
    if (!server.upgrade(request, { data: { isPublisher } })) return new Response(null, { status: 426 });
  },
  websocket: {
    perMessageDeflate,
    maxPayloadLength: 16 * 1024 * 1024,
    open(socket) {
      if (fanOut && !socket.data.isPublisher) socket.subscribe('all');
    },
    message(socket, message) {
      if (!fanOut) socket.send(message, isCompressed);
      else if (socket.data.isPublisher) server.publish('all', message, isCompressed);
    },
  },
});
console.log(`listening on ${hostname}:${server.port}`);
