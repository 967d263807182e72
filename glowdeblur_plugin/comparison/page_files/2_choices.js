// The set, and what can be chosen in it.

function chooseSet(name) {
  state.set = name;
  at('set').value = name;
  const first = set().first;
  const metrics = Object.keys(set().values);
  state.metric = fill(at('metric'), metrics.map(key => [key, data.metrics[key].label]), first && first[0]) || null;
  const shown = set().shown;
  const rivals = shown.filter(method => method !== 'blurry' && method !== 'sharp');
  const sides = shown.map(method => [method, label(method)]);
  const [, best, reference] = first || [];
  const there = (...methods) => methods.find(method => shown.includes(method));
  state.left = fill(at('left'), sides, there(state.left, reference, shown[0]));
  state.right = fill(at('right'), sides, there(state.right, best, rivals[0], shown[shown.length - 1]));
  fillMethods(best, reference);
  const names = set().names;
  fill(at('picture'), names.map(name => [name, name + (name in set().embedded ? '' : ' ↗')]), null);
  const inside = Object.keys(set().embedded);
  at('inside').textContent = inside.length === names.length ? 'All pictures of this set are inside this page.'
    : `Inside this page: ${inside.length} of ${names.length} pictures, `
      + (first ? `from the largest to the smallest gain of ${label(best)} over ${label(reference)}` : 'the first ones')
      + '. The others (↗) are read from the folder pictures/ beside it.';
  showGains();
  choosePicture(inside.length ? inside[0] : names[0]);
}

function fillMethods(method, reference) {
  const measured = Object.keys(set().values[state.metric] || {}).map(key => [key, label(key)]);
  state.method = fill(at('method'), measured, method);
  state.reference = fill(at('reference'), measured, reference);
}
