// ---------------------------------------------------------------- the layout
//
// Layers by the longest path, then the order in each layer by the mean place of the neighbours, then
// places that are close to those of the neighbours and keep their distance.

/** Places {column, y} (of centres) for nodes, and their extent; parents(i) lists the parents of a node. */
function layout(nodes, parents, height, gapY) {
  const own = new Map(nodes.map((i) => [i, {i, parents: [], users: [], layer: 0, column: 0, y: 0}]));
  for (const v of own.values()) {
    for (const p of new Set(parents(v.i))) {
      if (!own.has(p)) continue;
      v.parents.push(own.get(p));
      own.get(p).users.push(v);
    }
  }
  const waiting = new Map([...own.values()].map((v) => [v, v.parents.length]));
  const order = [...own.values()].filter((v) => v.parents.length === 0);
  for (let k = 0; k < order.length; k++) {
    for (const u of order[k].users) {
      u.layer = Math.max(u.layer, order[k].layer + 1);
      waiting.set(u, waiting.get(u) - 1);
      if (waiting.get(u) === 0) order.push(u);
    }
  }
  for (const v of own.values()) {  // a node without parents stands next to what uses it first
    if (!v.parents.length && v.users.length) v.layer = Math.min(...v.users.map((u) => u.layer)) - 1;
  }
  const lowest = Math.min(...[...own.values()].map((v) => v.layer)), layers = [];
  for (const v of own.values()) (layers[v.layer - lowest] ??= []).push(v);
  for (let k = 0; k < layers.length; k++) layers[k] ??= [];
  const step = height + gapY, mean = (list) => list.reduce((sum, v) => sum + v.y, 0) / list.length;
  layers.forEach((layer) => layer.forEach((v, k) => { v.y = (k - (layer.length - 1) / 2) * step; }));
  for (let round = 0; round < 8; round++) {
    const isForward = round % 2 === 0;
    for (const layer of isForward ? layers : [...layers].reverse()) {
      for (const v of layer) {
        const near = isForward ? v.parents : v.users;
        v.wanted = near.length ? mean(near) : v.y;
      }
      layer.sort((a, b) => a.wanted - b.wanted);
      spread(layer, step);
    }
  }
  layers.forEach((layer, k) => layer.forEach((v) => { v.column = k; }));
  const ys = [...own.values()].map((v) => v.y);
  return {places: own, layers: layers.length, top: Math.min(...ys) - height / 2,
          bottom: Math.max(...ys) + height / 2};
}

/** Places in the order of a layer, at least `step` apart, around the mean of the wanted ones. */
function spread(layer, step) {
  if (!layer.length) return;
  layer.forEach((v, k) => { v.y = k ? Math.max(v.wanted, layer[k - 1].y + step) : v.wanted; });
  const shift = layer.reduce((sum, v) => sum + v.wanted - v.y, 0) / layer.length;
  layer.forEach((v) => { v.y += shift; });
}
