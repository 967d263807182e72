// The gain of one method over another on each picture, sorted.

function gains() {
  const values = set().values[state.metric] || {};
  const ours = values[state.method] || [], theirs = values[state.reference] || [];
  const sign = state.metric && data.metrics[state.metric].better === 'lower' ? -1 : 1;
  const known = value => value !== null && value !== undefined;
  const rows = set().names.map((name, index) => ({name, index, value: ours[index], gain: sign * (ours[index] - theirs[index])}))
    .filter(row => known(ours[row.index]) && known(theirs[row.index]));
  const order = {gain: (a, b) => b.gain - a.gain, loss: (a, b) => a.gain - b.gain, name: (a, b) => a.index - b.index};
  return rows.sort(order[at('order').value]);
}

function showGains() {
  const rows = gains();
  const list = at('gains');
  if (!rows.length) {
    list.replaceChildren();
    at('gains-said').textContent = 'No metric here has values of single pictures.';
    return;
  }
  const digits = data.metrics[state.metric].digits;
  const low = Math.min(0, ...rows.map(row => row.gain)), high = Math.max(0, ...rows.map(row => row.gain));
  const wide = high - low || 1, zero = -low / wide * 100;
  list.replaceChildren(...rows.map(row => {
    const button = make('button');
    button.type = 'button';
    button.dataset.picture = row.name;
    button.title = row.name;
    button.setAttribute('aria-current', String(row.name === state.picture));
    if (!(row.name in set().embedded)) button.classList.add('outside');
    const track = make('span', 'track'), bar = make('i', row.gain < 0 ? 'loss' : ''), axis = make('b');
    const length = Math.abs(row.gain) / wide * 100;
    bar.style.left = `${row.gain < 0 ? zero - length : zero}%`;
    bar.style.width = `${length}%`;
    axis.style.left = `${zero}%`;
    track.append(bar, axis);
    const name = make('span', 'name');
    name.dir = 'rtl';
    name.append(make('bdi', '', row.name));
    button.append(name, track, make('span', 'figure', figure(row.gain, digits, true)));
    button.addEventListener('click', () => choosePicture(row.name));
    const item = make('li');
    item.append(button);
    return item;
  }));
  const sorted = rows.map(row => row.gain).sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  const better = sorted.filter(gain => gain > 0).length;
  at('gains-said').textContent = `Better on ${better} of ${rows.length} pictures, median ${figure(middle, digits, true)} `
    + `(${data.metrics[state.metric].label}, positive is better).`;
}
