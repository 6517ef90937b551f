/**
 * Follows a room without bidding in it: the view after every event, by the same line and clock as the bidder's page.
 *
 *     const room = watch(config, { changed(view, event), connection(state), watchers(n) });
 *     room.now()      the server's time, milliseconds
 *
 * `config` is `{socket, epoch, seq, view}` as the page was given it; `event` is null after a snapshot.
 */
import { Clock } from "./room-clock.js";
import { Line } from "./room-socket.js";
import { eventsIn, project } from "./room-view.js";

const UNDER_WAY = 1500;
const ASK = 60000;

export function watch(config, heard) {
  let { view, seq, epoch } = config;
  const clock = new Clock();

  function happened(events) {
    for (const event of events) {
      if (event.seq <= seq) continue;
      if (event.seq !== seq + 1) { epoch = null; line.renew(); return; }
      seq = event.seq;
      view = project(view, event);
      heard.changed(view, event);
    }
  }

  const line = new Line(config.socket, {
    hello: () => (epoch === null ? {} : { epoch, resume_after_seq: seq }),
    woke: () => clock.forget(),
    state: (what) => heard.connection?.(what),
    message(message) {
      if (message.type === "pong") clock.sample(message.sent, message.server_time);
      else if (message.type === "draining") line.renew(message.reconnect_after_ms);
      else line.well();
      if (message.type === "snapshot") {
        ({ seq, epoch, state: view } = message);
        heard.changed(view, null);
      } else if (message.type === "heartbeat") {
        heard.watchers?.(message.watchers);
        if (message.seq > seq) setTimeout(() => { if (message.seq > seq) line.renew(); }, UNDER_WAY);
      } else if (message.type === "watchers") heard.watchers?.(message.n);
      else happened(eventsIn(message));
    },
  });
  line.connect();
  setInterval(() => line.time(3), ASK);
  return { now: () => clock.now() };
}
