// The npm package `ws` as a peer: an echo server, or a client that does what it is told in lines.
'use strict';
const { WebSocket, WebSocketServer } = require('ws');
const fs = require('fs');
const https = require('https');
const readline = require('readline');

const [mode, url] = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const perMessageDeflate = process.argv.includes('--deflate') ? { threshold: 0 } : false;
const say = (line) => process.stdout.write(line + '\n');
const once = (emitter, event) => new Promise((done) => emitter.once(event, (...args) => done(args)));

// `abcdefgh…` to the length asked for, as the other peers make it.
const pattern = (length) => Buffer.alloc(length, 'abcdefghijklmnopqrstuvwxyz');

if (mode === 'serve') serve();
else client();

// Echoes every message, over TLS where PEER_CHAIN and PEER_KEY name files. Texts that begin with `!` are orders:
//   !ping               pings, and reports the pong as the text `pong`
//   !fragments N SIZE   sends one message of SIZE octets in N frames
//   !flood SIZE         sends one binary message of SIZE octets
//   !close CODE REASON  closes
function serve() {
  const { PEER_CHAIN: chain, PEER_KEY: key } = process.env;
  let server;
  if (chain) {
    const files = { cert: fs.readFileSync(chain), key: fs.readFileSync(key) };
    const listening = https.createServer(files).listen(0, '127.0.0.1');
    server = new WebSocketServer({ server: listening, perMessageDeflate });
  } else {
    server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
  }
  server.on('listening', () => say(`listening on 127.0.0.1:${server.address().port}`));
  server.on('connection', (socket) => {
    socket.on('error', (error) => say(`error ${error.message}`));
    socket.on('close', (code, reason) => say(`closed ${code} ${reason}`));
    socket.on('ping', (data) => say(`pinged ${data}`));
    socket.on('message', async (data, isBinary) => {
      const [order, ...args] = isBinary || data[0] !== 33 ? [] : String(data).split(' ');
      if (order === undefined) {
        socket.send(data, { binary: isBinary });
      } else if (order === '!ping') {
        socket.ping('are you there');
        const [answer] = await once(socket, 'pong');
        socket.send(`pong ${answer}`);
      } else if (order === '!fragments') {
        sendInFragments(socket, Number(args[0]), Number(args[1]));
      } else if (order === '!flood') {
        socket.send(pattern(Number(args[0])), { binary: true });
      } else if (order === '!close') {
        socket.close(Number(args[0]), args.slice(1).join(' '));
      }
    });
  });
}

// Connects, then obeys one line after the other and answers each with one line:
//   text N | binary N   sends a message of N octets and expects it back
//   fragments K N       the same in K frames
//   ping                pings and expects the pong
//   ask TEXT            sends TEXT and reports the text that comes back
//   expect-close TEXT   sends TEXT and reports the close that comes
//   overfill N          sends a message of N octets and reports the close that comes
//   close CODE REASON   closes and reports the answer
async function client() {
  const { PEER_ROOT: root } = process.env;
  const ca = root && fs.readFileSync(root);
  const socket = new WebSocket(url, { perMessageDeflate, ca });
  socket.on('error', (error) => say(`error ${error.message}`));
  await once(socket, 'open');
  say(`open ${socket.extensions}`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [order, ...args] = line.split(' ');
    say(await obey(socket, order, args));
  }
}

async function obey(socket, order, args) {
  const numbers = args.map(Number);
  if (order === 'text') return echoed(socket, pattern(numbers[0]), false, () => socket.send(pattern(numbers[0]), { binary: false }));
  if (order === 'binary') return echoed(socket, pattern(numbers[0]), true, () => socket.send(pattern(numbers[0]), { binary: true }));
  if (order === 'fragments') return echoed(socket, pattern(numbers[1]), true, () => sendInFragments(socket, ...numbers));
  if (order === 'ping') {
    socket.ping('are you there');
    const [answer] = await once(socket, 'pong');
    return `pong ${answer}`;
  }
  if (order === 'ask') {
    socket.send(args.join(' '));
    const [answer] = await once(socket, 'message');
    return `said ${answer}`;
  }
  const closed = once(socket, 'close');
  if (order === 'expect-close') socket.send(args.join(' '));
  else if (order === 'overfill') socket.send(pattern(numbers[0]), { binary: true });
  else if (order === 'close') socket.close(numbers[0], args.slice(1).join(' '));
  const [code, reason] = await closed;
  return `closed ${code} ${reason}`;
}

async function echoed(socket, expected, expectBinary, send) {
  const answer = once(socket, 'message');
  send();
  const [data, isBinary] = await answer;
  if (isBinary !== expectBinary) return `wrong kind`;
  return expected.equals(data) ? `echoed ${data.length}` : `wrong content, ${data.length} octets`;
}

function sendInFragments(socket, count, length) {
  const whole = pattern(length);
  const step = Math.ceil(length / count);
  for (let i = 0; i < count; i++) {
    socket.send(whole.subarray(i * step, (i + 1) * step), { binary: true, fin: i === count - 1 });
  }
}
