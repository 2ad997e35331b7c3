// The address: it keeps the view in its fragment, and a network that is open is a step of the
// browser's history, so that its back button closes it.

const BETWEEN_KEEPS = 350; // ms: a browser refuses an address that changes with every frame
let kept = -Infinity;
let keeping = null;

/** Write the view into the address: at once, and then no more often than it bears. */
function keep() {
  clearTimeout(keeping);
  const wait = kept + BETWEEN_KEEPS - performance.now();
  if (wait > 0) keeping = setTimeout(keepNow, wait);
  else keepNow();
}

function keepNow() {
  clearTimeout(keeping);
  kept = performance.now();
  const [page] = location.href.split("#", 1); // whole: a bare "#..." is of the parent in a frame
  const text = fragment();
  history.replaceState(null, "", text ? `${page}#${text}` : page);
}

document.addEventListener("visibilitychange", keepNow); // what is left may never come back

let beneath = null; // the fragment of the step under that of an open network

function enterNetwork() {
  keepNow();
  beneath = location.hash;
  history.pushState(null, "", location.href);
  kept = -Infinity; // what is open is told at once
}

function leaveNetwork() {
  if (beneath === null) return update({ open: "" });
  view.open = "";
  clearTimeout(keeping); // the step that is left stays as it was
  history.back();
}

function readAddress() {
  if (location.hash === beneath) {
    beneath = null;
    return update({ open: "" }); // back from an open network: all else stays as it was left
  }
  beneath = null;
  const refused = readFragment(location.hash);
  tell(
    refused.length ? `This page does not have what the link asks for: ${refused.join(", ")}` : "",
  );
  draw();
}

addEventListener("hashchange", readAddress);

async function copyLink() {
  keepNow();
  try {
    await navigator.clipboard.writeText(location.href);
    byId("copy-link").textContent = "Copied";
  } catch {
    tell(`The link is: ${location.href}`);
  }
  setTimeout(() => (byId("copy-link").textContent = "Copy link"), 2000);
}
