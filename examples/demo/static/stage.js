// The stage of the demo: two boards in frames, a cable to pull, and somebody who edits behind their backs.

const byId = (id) => document.getElementById(id);
const told = byId("told");
const left = document.querySelector('[data-side="left"]');

const setUp = await (await fetch("demo/setup")).json();
const behindCable = `${location.protocol}//${location.hostname}:${setUp.cable_port}`;
byId("left").src = `${behindCable}/kanban/?user=Ada`;
byId("right").src = "kanban/?user=Grace";
byId("shell").textContent = setUp.shell;

async function post(path) {
  const answer = await fetch(path, { method: "POST" });
  if (!answer.ok) {
    told.textContent = `The server answered ${answer.status}. Is it still running?`;
    return undefined;
  }
  return answer.json();
}

function showCable(plugged) {
  const button = byId("plug");
  button.setAttribute("aria-pressed", String(!plugged));
  button.textContent = plugged ? "Pull the plug on the left" : "Plug it in again";
  left.classList.toggle("unplugged", !plugged);
  byId("left-state").textContent = plugged ? "through a cable you can pull" : "unplugged: nothing passes";
}

byId("plug").addEventListener("click", async () => {
  const state = await post("demo/cable").catch(() => undefined);
  if (!state) return;
  showCable(state.plugged);
  told.textContent = state.plugged
    ? "Plugged in: Ada's screen catches up with all it missed."
    : "Unplugged: Ada's screen hears nothing. Edit on the right, then plug it in again.";
});

byId("edit").addEventListener("click", async () => {
  const state = await post("demo/edit").catch(() => undefined);
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

showCable(setUp.plugged);
