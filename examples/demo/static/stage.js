// The stage of the demo: two boards in frames, a cable to pull, and somebody who edits behind their backs.

/** Milliseconds between two looks whether the server is there. */
const LOOK_MS = 2000;
/** Milliseconds within which a board that is alive answers. A frame without a board (it was loaded while unplugged) does not. */
const ANSWER_MS = 1500;
/** Milliseconds for a board to load, and how often it may be tried before somebody has to press a button again. */
const LOAD_MS = 4000;
const LOADS = 5;

const byId = (id) => document.getElementById(id);
const told = byId("told");
const left = document.querySelector('[data-side="left"]');
let cablePort;
let plugged = true;
let serverThere = true;

const behindCable = () => `${location.protocol}//${location.hostname}:${cablePort}`;
const origins = { left: behindCable, right: () => location.origin };

async function ask(path, method = "GET") {
  const answer = await fetch(path, { method });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

async function post(path) {
  try {
    return await ask(path, "POST");
  } catch (error) {
    const unheard = error instanceof TypeError; // the fetch standard's word for a network that failed
    told.textContent = unheard ? "The server did not answer. Is it still running?" : `${error.message} Try again.`;
    return undefined;
  }
}

/** The cable as the server says it is. On another port the left board is loaded from there. */
function follow(state) {
  const moved = cablePort !== state.cable_port;
  cablePort = state.cable_port;
  plugged = state.plugged;
  if (moved) load("left");
  const button = byId("plug");
  button.setAttribute("aria-pressed", String(!state.plugged));
  button.textContent = state.plugged ? "Pull Ada’s plug" : "Plug it in again";
  left.classList.toggle("unplugged", !state.plugged);
  byId("left-state").textContent = state.plugged ? "through a cable you can pull" : "unplugged: nothing passes";
}

function load(side) {
  byId(side).src = side === "left" ? `${behindCable()}/kanban/?user=Ada` : "kanban/?user=Grace";
}

/** A board waits between its tries; tell it that now is a good moment. A frame that does not answer is loaded anew. */
function wake(side, loads = LOADS) {
  if (loads === 0 || (side === "left" && !plugged)) return;
  const frame = byId(side);
  const heard = (event) => {
    if (event.source !== frame.contentWindow || event.origin !== origins[side]()) return;
    if (event.data !== "tidings:awake") return;
    clearTimeout(timer);
    removeEventListener("message", heard);
  };
  const timer = setTimeout(() => {
    removeEventListener("message", heard);
    load(side);
    setTimeout(() => wake(side, loads - 1), LOAD_MS);
  }, ANSWER_MS);
  addEventListener("message", heard);
  frame.contentWindow.postMessage("tidings:wake", origins[side]());
}

/** After a restart of the server: what the cable is now, and both boards back at once. */
async function look() {
  try {
    const state = await ask("demo/setup");
    const stays = state.cable_port === cablePort;
    follow(state);
    if (!serverThere) {
      told.textContent = "The server is back: both boards catch up with all they missed.";
      if (state.plugged && stays) wake("left");
      wake("right");
    }
    serverThere = true;
  } catch {
    if (serverThere) told.textContent = "The server is gone. Start it again: both boards come back by themselves.";
    serverThere = false;
  }
  setTimeout(look, LOOK_MS);
}

byId("plug").addEventListener("click", async () => {
  const state = await post("demo/cable");
  if (!state) return;
  follow(state);
  if (state.plugged) wake("left");
  told.textContent = state.plugged
    ? "Plugged in: Ada’s screen catches up with all it missed."
    : "Unplugged: Ada’s screen hears nothing. Move a card on Grace’s board, then plug Ada in again.";
});

byId("edit").addEventListener("click", async () => {
  const state = await post("demo/edit");
  if (state) told.textContent = `${state.what} No call to Tidings was made: only a row was written.`;
});

for (const tab of document.querySelectorAll("[data-screen]")) {
  tab.addEventListener("click", () => {
    document.querySelector("main").dataset.shown = tab.dataset.screen;
    for (const other of document.querySelectorAll("[data-screen]")) {
      other.setAttribute("aria-pressed", String(other === tab));
    }
  });
}

const setUp = await ask("demo/setup");
byId("shell").textContent = setUp.shell;
if (setUp.lan) {
  byId("lan").href = byId("lan").textContent = setUp.lan;
  byId("lan-how").hidden = true;
  byId("lan-there").hidden = false;
}
follow(setUp);
load("right");
setTimeout(look, LOOK_MS);
