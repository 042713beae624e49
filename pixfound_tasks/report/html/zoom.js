// An image enlarged, at its original resolution if the page has it.

function enlarged({ id, doc }, overlay, words) {
  const dialog = element("dialog", "zoom");
  const source = doc.original || imageSource(doc);
  const shown = picture(doc, source, 1000, overlay, words);
  shown.style.width = `min(100%, calc(76vh * ${doc.width / doc.height}))`;
  const close = button("", false, () => dialog.close(), "Close");
  const toggle = button("", true, () => {
    const isOn = dialog.classList.toggle("bare");
    toggle.setAttribute("aria-pressed", String(!isOn));
  }, "Layers");
  close.removeAttribute("aria-pressed");
  const size = element("span", "label", `${doc.width} × ${doc.height} pixels`);
  const image = shown.querySelector("img");
  if (image) {
    image.addEventListener("load", () => {
      if (image.naturalWidth < doc.width) size.textContent += `, kept here at ${image.naturalWidth} × ${image.naturalHeight}; pixfound report --folder keeps all`;
    });
  }
  dialog.setAttribute("aria-label", `Image ${id}, enlarged`);
  dialog.append(element("div", "zoom-head", element("b", "", apart(`Image ${id}`)), size, toggle, close), shown);
  dialog.addEventListener("click", ({ target }) => { if (target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
