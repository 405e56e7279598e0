// Canvases in the size of their places.

// In CSS pixels, empty, with a pen that writes in the page's type; null where it is not seen.
export function paper(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return null;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const family = getComputedStyle(document.body).fontFamily;
  const type = (weight = "") => `${weight} ${0.857 * rem}px ${family}`;
  pen.font = type();
  return { pen, width, height, rem, type };
}

// A square one's side in the pixels of the screen, which surfaces are drawn in; 0 where it is not seen.
export function sideOf(canvas) {
  const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (side && (canvas.width !== side || canvas.height !== side)) Object.assign(canvas, { width: side, height: side });
  return side;
}
