// Every key, what it does, and the words of the help. A key is written as the browser names it, with Ctrl+ and Shift+.

export const KEYS = [
  ["Targets", [
    ["Enter", "click at the cursor", "clickCursor"],
    ["Arrows", "move the cursor; with Shift ten pixels", null],
    ["j k", "choose the next, the previous target", null],
    ["[ ]", "tighten, loosen the chosen mask", null],
    ["d", "bright or dark: the chosen target's polarity", "polarity"],
    ["m", "move the chosen target to the cursor", "moveHere"],
    ["v", "give it a label", "label"],
    ["Delete", "remove the chosen target", "remove"],
    ["r", "carry it to the next frames until it is lost", "carry"],
    ["Ctrl+Z", "undo", "undo"],
    ["Ctrl+Shift+Z", "redo", "redo"],
  ]],
  ["Brush", [
    ["b", "draw pixels of the chosen target", "brush"],
    ["e", "erase them", "eraser"],
    [", .", "smaller, larger brush", null],
    ["u", "take all that was drawn and erased back", "unbrush"],
    ["Escape", "back to clicks; close what is open", "escape"],
  ]],
  ["Images", [
    ["n p", "next, previous image", null],
    ["w", "the worst that is not accepted", "worst"],
    ["a", "accept, or take that back", "accept"],
    ["Space", "accept, and go on to the next", "acceptNext"],
    ["/", "search names", "search"],
  ]],
  ["Proposals", [
    ["f", "propose targets", "find"],
    ["y", "take the proposal", "take"],
    ["x", "refuse it; it is not proposed again", "refuse"],
  ]],
  ["View", [
    ["+ -", "zoom; the wheel and a pinch too", null],
    ["0", "the whole image", "fit"],
    ["1", "one pixel is one pixel", "actual"],
    ["z", "zoom to the chosen target", "zoomTarget"],
    ["h", "hide and show the masks", "hide"],
    ["c", "contrast: the next range", "nextRange"],
    ["i", "inverted", "invert"],
    ["g G", "more, less gamma", null],
    ["l", "the same contrast for all images", "fix"],
  ]],
  ["More", [
    ["s", "learn the style of the mended masks", "style"],
    ["t", "train a detector on these masks", "train"],
    ["o", "write the masks for another tool", "export"],
    ["?", "this list", "help"],
  ]],
  ["Mouse", [
    ["Click", "a target; on a mask, choose it", null],
    ["Alt click", "a target even on a mask", null],
    ["Shift click", "remove the target", null],
    ["Drag a target", "move its point", null],
    ["Drag", "move the image", null],
    ["Right drag", "contrast: sideways its width, up and down its level", null],
  ]],
];

const EXTRA = {
  ArrowLeft: ["cursor", -1, 0], ArrowRight: ["cursor", 1, 0], ArrowUp: ["cursor", 0, -1], ArrowDown: ["cursor", 0, 1],
  j: ["choose", 1], k: ["choose", -1], "[": ["tighten", 0.05], "]": ["tighten", -0.05], n: ["go", 1], p: ["go", -1],
  "+": ["zoom", 1.4], "=": ["zoom", 1.4], "-": ["zoom", 1 / 1.4], ",": ["brushSize", -1], ".": ["brushSize", 1],
  g: ["gamma", 0.1], G: ["gamma", -0.1], Backspace: ["remove"], "Ctrl+y": ["redo"],
};

const SIMPLE = Object.fromEntries(
  KEYS.flatMap(([, rows]) => rows.filter(([, , action]) => action).map(([key, , action]) => [
    key.replace("Ctrl+Z", "Ctrl+z").replace("Ctrl+Shift+Z", "Ctrl+Shift+Z").replace("Space", " "), [action],
  ])),
);

// Listen for keys; `actions` has a function for each name. Keys typed into a field are left to it.
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=search], input[type=text], input[type=number], select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]") || event.altKey) return;
    const onButton = event.target.matches("button, input") && (event.key === "Enter" || event.key === " ");
    const onRange = event.target.matches("input[type=range]") && event.key.startsWith("Arrow");
    if (onButton || onRange) return;
    const control = event.ctrlKey || event.metaKey;
    const name = control ? `Ctrl+${event.shiftKey ? "Shift+" : ""}${event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key.toUpperCase()}` : event.key;
    const found = EXTRA[name] || SIMPLE[name];
    if (!found) return;
    event.preventDefault();
    const [action, ...values] = found;
    actions[action](...values, event);
  });
}
