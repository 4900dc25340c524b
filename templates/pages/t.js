// Tells the vendor of visits by people who consented and came from an e-mail of theirs; of nobody else. No cookie.
(function () {
  "use strict";
  var script = document.currentScript, found = /^#tandem=([\w-]+)$/.exec(location.hash), token = found && found[1];
  if (found) history.replaceState(history.state, "", location.pathname + location.search);
  if (navigator.doNotTrack === "1" || navigator.globalPrivacyControl || !navigator.sendBeacon || !script) return;
  try {
    if (token) sessionStorage.setItem("tandem", token);
    else token = sessionStorage.getItem("tandem");
  } catch (refused) { /* this page only */ }
  if (!token) return;
  var note = JSON.stringify({ t: token, u: location.origin + location.pathname });
  navigator.sendBeacon(new URL("/collect", script.src).href, note);
})();
