// Browses the attention of one or more answers: token by token, by reducer, and by layer and head. Nothing is computed
// by a model; all maps are in the page. Text of models only becomes text nodes, never markup.

const page = JSON.parse(document.getElementById("data").textContent);
const MISSING = 255, HIGHEST = 254;
const PLAY_EVERY = 260; // milliseconds per token
const MAP_PIXELS = 448; // of the longer side of the large map
const STEPS = Array.from({ length: 256 }, (_, i) => heat(i / 255));

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null));
  return node;
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
}

// The values of map `index` of a set, NaN where nothing is known.
function valuesOf({ min, max, bytes }, [rows, columns], index) {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const level = bytes[index * rows * columns + i];
    return level === MISSING ? NaN : min + level / HIGHEST * (max - min);
  });
}

function meanOf(maps) {
  return maps[0].map((_, i) => {
    const known = maps.map((map) => map[i]).filter((value) => !Number.isNaN(value));
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : NaN;
  });
}

// Paints values on a canvas as `heat.py` does: dimmed, transparent at `low`, brightest at `high`.
function paintValues(canvas, values, [rows, columns], low, high) {
  const { width, height } = canvas;
  const cells = values.map((value) => (Number.isNaN(value) ? 0 : (value - low) / (high - low || 1)));
  const smooth = smoothed(cells, rows, columns, height, width);
  const pixels = new ImageData(width, height);
  smooth.forEach((value, i) => pixels.data.set(STEPS[Math.min(Math.max(Math.round(255 * value), 0), 255)], 4 * i));
  const layer = sheet(width, height);
  layer.putImageData(pixels, 0, 0);
  const target = canvas.getContext("2d");
  target.clearRect(0, 0, width, height);
  target.fillStyle = `rgb(0 0 0 / ${DIM})`;
  target.fillRect(0, 0, width, height);
  target.drawImage(layer.canvas, 0, 0);
}

function chooser(label, name, options, value, onChange) {
  const select = make("select", "", ...options.map(([key, words]) => {
    const option = make("option", "", words);
    option.value = key;
    return option;
  }));
  select.value = value;
  select.dataset.of = name;
  select.addEventListener("change", () => onChange(select.value));
  return make("label", "", `${label} `, select);
}

function pressable(words, isPressed, onClick) {
  const node = make("button", "", words);
  node.type = "button";
  if (isPressed !== null) node.setAttribute("aria-pressed", String(isPressed));
  node.addEventListener("click", onClick);
  return node;
}

const browsers = [];

// One answer's browser. `state.step` is a token, `state.phrase` the number of a phrase whose mean map is shown instead,
// and `state.head` a [layer, head] of the grid, shown large.
class Browser {
  constructor(section, answer) {
    browsers.push(this);
    this.section = section;
    this.answer = answer;
    this.state = { step: 0, phrase: null, head: null, reducer: Object.keys(answer.reducers)[0], own: false, kind: "attention" };
    this.canvas = make("canvas");
    const source = document.getElementById(`picture-${section.dataset.answer}`);
    const [width, height] = ["width", "height"].map((name) => Number(source.getAttribute(name)));
    const scale = MAP_PIXELS / Math.max(width, height);
    [this.canvas.width, this.canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    this.ratio = `${width} / ${height}`;
    const image = make("img", source.getAttribute("class") || "");
    image.src = source.getAttribute("href");
    image.alt = "";
    this.image = image;
    this.stage = make("div", "stage", image, this.canvas);
    this.stage.style.aspectRatio = this.ratio;
    this.stage.setAttribute("role", "img");
  }

  async open() {
    const { reducers, heads } = this.answer;
    for (const maps of [reducers, heads ? heads.kinds : {}].flatMap(Object.values)) maps.bytes = await unpack(maps.levels);
    this.build();
    this.section.hidden = false;
    this.show();
  }

  build() {
    const { answer, state } = this;
    this.words = make("p", "tokens", ...this.tokenNodes());
    this.words.dir = "auto";
    this.slider = make("input");
    Object.assign(this.slider, { type: "range", min: 0, max: Math.max(answer.tokens.length - 1, 0), value: 0 });
    this.slider.setAttribute("aria-label", "Token");
    this.slider.addEventListener("input", () => this.go({ step: Number(this.slider.value), phrase: null }));
    this.player = pressable("▶ Play", false, () => this.play());
    this.said = make("p", "said");
    this.said.setAttribute("aria-live", "polite");
    this.low = make("span");
    this.high = make("span");
    const bar = make("p", "bar", this.low, make("i"), this.high, make("span", "", " attention"));
    const reducers = chooser("Reducer", "reducer", Object.keys(answer.reducers).map((name) => [name, name]), state.reducer, (reducer) => this.goAll({ reducer, head: null }));
    const scale = chooser("Scale", "own", [["", "the same for all tokens"], ["own", "each map its own"]], "", (own) => this.goAll({ own: Boolean(own) }));
    const rows = [make("div", "scrub", this.player, this.slider), this.words, this.said, make("div", "controls", reducers, scale)];
    this.panel = make("div", "panel-of-heads");
    this.section.append(make("h2", "", "Token by token"), make("div", "two", make("div", "", this.stage, bar), make("div", "", ...rows)), this.panel);
    if (answer.heads) addHeads(this);
  }

  tokenNodes() {
    const characters = Array.from(this.answer.text), nodes = [];
    let end = 0;
    this.answer.tokens.forEach(([from, to], index) => {
      if (from > end) nodes.push(characters.slice(end, from).join(""));
      if (to <= from) return;
      const node = make("span", "token", characters.slice(from, to).join(""));
      const phrase = this.answer.phrases.find(({ chars }) => chars[0] < to && from < chars[1]);
      if (phrase) node.style.borderColor = page.colors[(phrase.number - 1) % page.colors.length][0];
      node.dataset.token = index;
      node.addEventListener("click", () => this.go({ step: index, phrase: null }));
      nodes.push(node);
      end = to;
    });
    nodes.push(characters.slice(end).join(""));
    for (const phrase of this.answer.phrases) {
      nodes.push(" ", pressable(`${phrase.number} ${phrase.text}`, false, () => this.go({ phrase: this.state.phrase === phrase.number ? null : phrase.number })));
      nodes[nodes.length - 1].dataset.phrase = phrase.number;
    }
    return nodes;
  }

  go(changes) {
    Object.assign(this.state, changes);
    this.show();
  }

  // Shows all answers by the same reducer, scale or values, so that they can be compared.
  goAll(changes) {
    for (const browser of browsers) {
      const isKnown = !("reducer" in changes) || changes.reducer in browser.answer.reducers;
      if (isKnown) browser.go(changes);
      for (const [name, value] of Object.entries(changes)) {
        const select = browser.section.querySelector(`select[data-of="${name}"]`);
        if (isKnown && select) select.value = value === true ? "own" : value || "";
      }
    }
  }

  play() {
    const isPlaying = Boolean(this.timer);
    clearInterval(this.timer);
    this.timer = null;
    if (!isPlaying) {
      if (this.state.step >= this.answer.tokens.length - 1) this.state.step = -1;
      this.timer = setInterval(() => {
        if (this.state.step >= this.answer.tokens.length - 1) this.play();
        else this.go({ step: this.state.step + 1, phrase: null });
      }, PLAY_EVERY);
    }
    this.player.setAttribute("aria-pressed", String(!isPlaying));
    this.player.textContent = isPlaying ? "▶ Play" : "❚❚ Pause";
  }

  // The tokens that are shown: one, or those of a phrase.
  shownTokens() {
    const { step, phrase } = this.state;
    if (phrase === null) return [Math.max(step, 0)];
    const { chars } = this.answer.phrases.find(({ number }) => number === phrase);
    const inside = this.answer.tokens.map(([from, to], index) => (from < chars[1] && chars[0] < to ? index : -1)).filter((index) => index >= 0);
    return inside.length ? inside : [0];
  }

  name() {
    const { step, phrase } = this.state;
    if (phrase !== null) return `phrase ${phrase}, “${this.answer.phrases.find(({ number }) => number === phrase).text}”`;
    const [from, to] = this.answer.tokens[Math.max(step, 0)] || [0, 0];
    return `token ${Math.max(step, 0) + 1} of ${this.answer.tokens.length}, “${Array.from(this.answer.text).slice(from, to).join("").trim()}”`;
  }

  // The values that are shown large, their size and scale, and how they came about.
  shown() {
    const { answer, state } = this;
    if (state.head) return shownHead(this);
    const maps = answer.reducers[state.reducer];
    const values = answer.tokens.length ? meanOf(this.shownTokens().map((index) => valuesOf(maps, answer.size, index))) : new Float32Array(answer.size[0] * answer.size[1]);
    return { values, size: answer.size, low: maps.low, high: maps.high, by: state.reducer };
  }

  show() {
    const { state } = this;
    const { values, size, low, high, by } = this.shown();
    const known = values.filter((value) => !Number.isNaN(value));
    const [least, most] = state.own && known.length ? [Math.min(...known), Math.max(...known)] : [low, high];
    paintValues(this.canvas, values, size, least, most);
    this.low.textContent = least.toPrecision(2);
    this.high.textContent = most.toPrecision(2);
    const words = `${this.name()}, ${by}`;
    this.said.textContent = words;
    this.stage.setAttribute("aria-label", `The image under the map of ${words}`);
    this.slider.value = Math.max(state.step, 0);
    this.slider.setAttribute("aria-valuetext", this.name());
    const tokens = new Set(this.shownTokens());
    for (const node of this.words.querySelectorAll(".token")) node.classList.toggle("on", tokens.has(Number(node.dataset.token)));
    for (const node of this.words.querySelectorAll("[data-phrase]")) node.setAttribute("aria-pressed", String(Number(node.dataset.phrase) === state.phrase));
    if (this.showHeads) this.showHeads();
  }
}
