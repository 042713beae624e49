"use strict";

// The form of `pixfound look`: sends the image and the prompts to the model on this machine, and shows its answer.

const form = document.getElementById("form");
const said = document.getElementById("status");
const frame = document.getElementById("frame");
const answers = document.getElementById("answers");
const preview = document.getElementById("preview");

async function inBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

function show(number) {
  frame.src = `answers/${number}`;
  frame.hidden = false;
}

function list(number, words) {
  const item = document.createElement("li");
  const open = document.createElement("button");
  open.type = "button";
  open.textContent = `${number}: ${words}`;
  open.addEventListener("click", () => show(number));
  const alone = document.createElement("a");
  alone.href = `answers/${number}`;
  alone.target = "_blank";
  alone.rel = "noopener";
  alone.textContent = "open alone";
  item.append(open, " ", alone);
  answers.prepend(item);
  answers.hidden = false;
}

form.elements.image.addEventListener("change", () => {
  const [file] = form.elements.image.files;
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { image, scene, expression, prompt, other } = form.elements;
  const [file] = image.files;
  const asked = { scene: Number(scene.value), expression: expression.value, prompts: [prompt.value, other.value].filter((text) => text.trim()) };
  const submit = form.querySelector("button");
  submit.disabled = true;
  said.textContent = "Looking ...";
  try {
    if (file) Object.assign(asked, { image: await inBase64(file), name: file.name });
    const reply = await fetch("explain", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
    const { number, error } = await reply.json();
    said.textContent = error || "";
    if (number) {
      list(number, asked.expression || `scene ${asked.scene}`);
      show(number);
    }
  } catch (error) {
    said.textContent = `The model does not answer: is pixfound look still running? (${error.message})`;
  } finally {
    submit.disabled = false;
  }
});

frame.addEventListener("load", () => {
  if (!frame.hidden && frame.contentDocument) frame.style.height = `${frame.contentDocument.documentElement.scrollHeight + 40}px`;
});
