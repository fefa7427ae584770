(() => {
  "use strict";
  const { figures, dark } = JSON.parse(document.getElementById("figures").textContent);
  const night = matchMedia("(prefers-color-scheme: dark)");
  const NARROW = 560; // pixels; figures are laid out anew below
  const PRINTED = 640;
  let printing = false;

  // A copy of a figure's part, with its colours exchanged for those of the theme.
  function themed(value, colours, key = "") {
    if (Array.isArray(value)) return value.map((item) => themed(item, colours, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, themed(item, colours, name)]));
    return /color$/i.test(key) && Object.hasOwn(colours, value) ? colours[value] : value;
  }

  function draw() {
    const colours = night.matches && !printing ? dark : {};
    for (const box of document.querySelectorAll("[data-figure]")) {
      const name = box.dataset.figure;
      const figure = figures[name];
      const width = printing ? PRINTED : box.clientWidth;
      const layout = { ...figure.layout, ...(width < NARROW ? figure.narrow : {}), width };
      Plotly.react(box, themed(figure.data, colours), themed(layout, colours), {
        displaylogo: false,
        modeBarButtons: [["toImage"]],
        toImageButtonOptions: { format: "svg", filename: name },
      });
    }
  }

  let drawnAt = 0;
  function redrawIfResized() {
    if (innerWidth !== drawnAt && !printing) {
      drawnAt = innerWidth;
      draw();
    }
  }

  addEventListener("beforeprint", () => {
    printing = true;
    draw();
  });
  addEventListener("afterprint", () => {
    printing = false;
    draw();
  });
  addEventListener("resize", () => requestAnimationFrame(redrawIfResized));
  night.addEventListener("change", draw);
  redrawIfResized();

  // A link to a term opens the box that holds it.
  function reveal() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.closest("details")) {
      target.closest("details").open = true;
      target.scrollIntoView();
    }
  }
  addEventListener("hashchange", reveal);
  reveal();

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
})();
