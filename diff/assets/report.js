"use strict";
(function () {
  var objects = Array.prototype.slice.call(document.querySelectorAll(".object"));
  var search = document.getElementById("search");
  var chips = Array.prototype.slice.call(document.querySelectorAll(".chip input"));
  var found = document.getElementById("found");
  var links = {};
  document.querySelectorAll("nav li").forEach(function (li) { links[li.getAttribute("data-for")] = li; });
  objects.forEach(function (o) { o.words = o.textContent.toLowerCase(); });

  function filter() {
    var wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = {};
    chips.forEach(function (c) { shown[c.value] = c.checked; });
    var n = 0;
    objects.forEach(function (o) {
      var hit = wanted.every(function (w) { return o.words.indexOf(w) >= 0; });
      var hide = !hit || !(shown[o.getAttribute("data-class")] || wanted.length > 0);
      o.hidden = hide;
      links[o.id].hidden = hide;
      if (!hide) { n++; }
    });
    found.textContent = n + " of " + objects.length;
  }
  function openAll(open) {
    objects.forEach(function (o) { if (!o.hidden) { o.open = open; } });
  }
  search.addEventListener("input", filter);
  chips.forEach(function (c) { c.addEventListener("change", filter); });
  document.getElementById("open").addEventListener("click", function () { openAll(true); });
  document.getElementById("close").addEventListener("click", function () { openAll(false); });
  document.querySelector("nav").addEventListener("click", function (e) {
    var a = e.target.closest("a");
    if (a) { document.getElementById(a.getAttribute("href").slice(1)).open = true; }
  });
  // report.html#q=words shows what is searched for.
  var q = /^#q=(.*)$/.exec(location.hash);
  if (q) {
    try { search.value = decodeURIComponent(q[1]); } catch (e) { search.value = q[1]; }
  }
  filter();
})();
