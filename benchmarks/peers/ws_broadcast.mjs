// Node's `ws`, as its documentation broadcasts: GET /ws/{channel} subscribes, POST /publish/{channel} publishes its body
// unsigned. Prints its port. The end of input ends it.
import http from "node:http";
import { WebSocketServer } from "ws";

const channels = new Map();

function publish(channel, body) {
  for (const client of channels.get(channel) ?? []) client.send(body, { binary: false });
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    publish(request.url.split("/")[2], Buffer.concat(parts));
    response.end("{}");
  });
});
server.keepAliveTimeout = 0;

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket, request) => {
  const channel = request.url.split("/")[2];
  if (!channels.has(channel)) channels.set(channel, new Set());
  channels.get(channel).add(socket);
  socket.on("close", () => channels.get(channel).delete(socket));
  socket.on("error", () => socket.terminate());
});

server.listen(0, "127.0.0.1", 1024, () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
