// Shows the number under the pointer. The chart itself is drawn on the server and needs none
// of this.
"use strict";

for (const chart of document.querySelectorAll("svg.chart")) {
  const points = JSON.parse(chart.dataset.points);
  const pointer = chart.querySelector(".pointer");
  const line = pointer.querySelector("line");
  const circle = pointer.querySelector("circle");
  const tip = chart.parentElement.querySelector(".tip");

  const hide = () => {
    pointer.setAttribute("hidden", "");
    tip.hidden = true;
  };

  const show = (event) => {
    const box = chart.getBoundingClientRect();
    const scale = chart.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    let nearest = points[0];
    for (const point of points) {
      if (Math.abs(point[0] - x) < Math.abs(nearest[0] - x)) nearest = point;
    }
    if (!nearest) return;
    const [px, py, time, text, kind] = nearest;
    line.setAttribute("x1", px);
    line.setAttribute("x2", px);
    line.setAttribute("y1", chart.dataset.top);
    line.setAttribute("y2", chart.dataset.bottom);
    circle.setAttribute("cx", px);
    circle.setAttribute("cy", py);
    pointer.removeAttribute("hidden");
    tip.textContent = "";
    const head = document.createElement("b");
    head.textContent = `${time} · ${kind}`;
    tip.append(head, text);
    tip.hidden = false;
    const half = tip.offsetWidth / 2;
    const left = Math.min(box.width - half, Math.max(half, px / scale));
    tip.style.left = `${left}px`;
  };

  chart.addEventListener("pointermove", show);
  chart.addEventListener("pointerdown", show);
  chart.addEventListener("pointerleave", hide);
}
