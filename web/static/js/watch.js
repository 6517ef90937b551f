/**
 * Follows a room without bidding in it: one socket, the view after every event, and the server's time.
 *
 *     const room = watch(config, { changed(view, event, side), connection(state), watchers(n) });
 *     room.now()      the server's time, milliseconds
 *
 * `config` is `{socket, epoch, seq, view}` as the page was given it; `event` is null after a snapshot. Gaps are
 * healed as docs/live-room.md says: resume, or take a new snapshot.
 */
import { eventsIn, project, sideAfter } from "./room-view.js";

const SILENT = 25000;
const FINAL = [4403, 4404];

export function watch(config, heard) {
  let { view, seq, epoch } = config;
  let side = { stopped_at: null, floor_only: false, ...config.side };
  let socket = null;
  let tries = 0;
  let last = performance.now();
  let best = null;

  const clock = () => performance.timeOrigin + performance.now();
  const now = () => clock() + (best?.offset ?? 0);
  const send = (message) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ v: 1, ...message }));

  function again(after) {
    const old = socket;
    socket = null;
    old?.close();
    heard.connection?.("wait");
    setTimeout(connect, after ?? Math.min(15000, 400 * 2 ** tries) * (0.5 + Math.random()));
    tries += 1;
  }

  function happened(event) {
    if (event.seq <= seq) return;
    if (event.seq !== seq + 1) { epoch = null; again(0); return; }
    seq = event.seq;
    side = sideAfter(side, event);
    view = project(view, event);
    heard.changed(view, event, side);
  }

  function receive(message) {
    last = performance.now();
    tries = 0;
    if (message.type === "snapshot") {
      ({ seq, epoch, state: view } = message);
      heard.changed(view, null, side);
    } else if (message.type === "heartbeat") {
      heard.watchers?.(message.watchers);
      if (message.seq > seq) setTimeout(() => { if (message.seq > seq) again(0); }, 1500);
    } else if (message.type === "watchers") heard.watchers?.(message.n);
    else if (message.type === "draining") again(message.reconnect_after_ms);
    else if (message.type === "pong") {
      const trip = performance.now() - message.sent;
      if (best === null || trip <= best.trip) best = { trip, offset: Date.parse(message.server_time) + trip / 2 - clock() };
    } else for (const event of eventsIn(message)) happened(event);
  }

  function connect() {
    heard.connection?.("wait");
    const mine = new WebSocket(config.socket);
    socket = mine;
    mine.addEventListener("open", () => {
      heard.connection?.("on");
      send({ type: "hello", epoch, resume_after_seq: epoch === null ? null : seq });
      best = null;
      for (let i = 0; i < 5; i += 1) setTimeout(() => send({ type: "ping", sent: performance.now() }), i * 150);
    });
    mine.addEventListener("message", (event) => { if (mine === socket) receive(JSON.parse(event.data)); });
    mine.addEventListener("close", (event) => {
      if (mine !== socket) return;
      if (FINAL.includes(event.code)) heard.connection?.("off");
      else again();
    });
  }

  const look = () => {
    if (socket?.readyState === WebSocket.OPEN && performance.now() - last > SILENT) again(0);
    else send({ type: "ping", sent: performance.now() });
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  window.addEventListener("online", look);
  setInterval(look, 20000);
  connect();
  return { now };
}
