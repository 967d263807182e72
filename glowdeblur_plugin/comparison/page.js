'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const at = id => document.getElementById(id);
  const state = {set: null, picture: null, left: null, right: null, metric: null, method: null, reference: null, crop: null};
  let scene = null;   // the picture that is shown: {width, height, images, details, crop, absent, inside}
  let turn = 0;       // how often a picture was asked for, so that a slow one does not replace a newer one

  const set = () => data.sets[state.set];
  const label = method => data.methods[method].label;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function fill(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => {
      const option = make('option', '', text);
      option.value = value;
      return option;
    }));
    if (entries.some(([value]) => value === chosen)) select.value = chosen;
    select.disabled = entries.length < 2;
    return select.value;
  }

  function figure(value, digits, signed) {
    if (value === null || value === undefined) return '–';
    const text = Math.abs(value).toFixed(digits);
    const zero = Number(text) === 0;
    return (value < 0 && !zero ? '−' : signed && !zero ? '+' : '') + text;
  }

  function valueOf(method) {
    const row = ((set().values[state.metric] || {})[method]) || [];
    return row[set().names.indexOf(state.picture)];
  }

  // --- the set, and what can be chosen in it

  function chooseSet(name) {
    state.set = name;
    at('set').value = name;
    const first = set().first;
    const metrics = Object.keys(set().values);
    state.metric = fill(at('metric'), metrics.map(key => [key, data.metrics[key].label]), first && first[0]) || null;
    const shown = set().shown;
    const rivals = shown.filter(method => method !== 'blurry' && method !== 'sharp');
    const sides = shown.map(method => [method, label(method)]);
    state.left = fill(at('left'), sides, shown.includes(state.left) ? state.left : first && shown.includes(first[2]) ? first[2] : shown[0]);
    state.right = fill(at('right'), sides, shown.includes(state.right) ? state.right
      : first && shown.includes(first[1]) ? first[1] : rivals[0] || shown[shown.length - 1]);
    fillMethods(first && first[1], first && first[2]);
    const names = set().names;
    fill(at('picture'), names.map(name => [name, name + (name in set().embedded ? '' : ' ↗')]), null);
    const inside = Object.keys(set().embedded);
    at('inside').textContent = inside.length === names.length ? 'All pictures of this set are inside this page.'
      : `Inside this page: ${inside.length} of ${names.length} pictures, `
        + (first ? `from the largest to the smallest gain of ${label(first[1])} over ${label(first[2])}` : 'the first ones')
        + '. The others (↗) are read from the folder pictures/ beside it.';
    showGains();
    choosePicture(inside.length ? inside[0] : names[0]);
  }

  function fillMethods(method, reference) {
    const measured = Object.keys(set().values[state.metric] || {}).map(key => [key, label(key)]);
    state.method = fill(at('method'), measured, method);
    state.reference = fill(at('reference'), measured, reference);
  }

  // --- gains, sorted

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

  // --- one picture by all methods

  function address(method, name) {
    return ['pictures', state.set, method, name].map(encodeURIComponent).join('/') + '.png';
  }

  async function load(source) {
    const image = new Image();
    image.src = source;
    try {
      await image.decode();
      return image;
    } catch {
      return null;
    }
  }

  async function readScene(name) {
    const inside = set().embedded[name];
    const scene = {name, images: {}, details: {}, absent: inside ? {...inside.absent} : {}, inside: Boolean(inside)};
    await Promise.all(set().shown.map(async method => {
      if (method in scene.absent) return;
      const image = await load(inside ? inside.whole[method] : address(method, name));
      if (image) scene.images[method] = image;
      else scene.absent[method] = 'not beside this page';
      if (inside && inside.detail[method]) scene.details[method] = await load(inside.detail[method]);
    }));
    const first = set().shown.map(method => scene.images[method]).find(Boolean);
    scene.width = inside ? inside.width : first ? first.naturalWidth : 4;
    scene.height = inside ? inside.height : first ? first.naturalHeight : 3;
    const side = Math.min(160, scene.width, scene.height, Math.max(32, Math.floor(Math.min(scene.width, scene.height) / 5)));
    scene.crop = inside ? inside.crop : [(scene.width - side) >> 1, (scene.height - side) >> 1, side];
    return scene;
  }

  async function choosePicture(name) {
    const mine = ++turn;
    state.picture = name;
    at('picture').value = name;
    for (const button of at('gains').querySelectorAll('button')) {
      button.setAttribute('aria-current', String(button.dataset.picture === name));
    }
    const found = await readScene(name);
    if (mine !== turn) return;
    scene = found;
    state.crop = [...scene.crop];
    const side = scene.crop[2], longest = Math.min(scene.width, scene.height);
    const sides = [...new Set([Math.round(side / 2), side, Math.min(side * 2, longest), longest])].sort((a, b) => a - b);
    fill(at('side'), sides.map(value => [String(value), `${value} px`]), String(side));
    at('errors-choice').hidden = !scene.images.sharp;
    at('frame').style.setProperty('--wide', scene.width);
    at('frame').style.setProperty('--high', scene.height);
    showSides();
    showStrip();
  }

  function showSides() {
    for (const side of ['left', 'right']) {
      const picture = at(`${side}-picture`), method = state[side], image = scene.images[method];
      if (image) picture.src = image.src;
      else picture.removeAttribute('src');
      picture.alt = image ? `${scene.name}, ${label(method)}, ${side} of the divider` : '';
      picture.dataset.method = method;
      at(`${side}-tag`).textContent = label(method);
    }
    at('quality').textContent = !scene.inside ? 'This picture is not inside this page: it is read from the folder pictures/ beside it.'
      : !Object.keys(scene.details).length ? 'These pictures are inside this page without loss.'
        : 'Inside this page, the square that is shown first is without loss; the rest is WebP of quality 90'
        + (Math.max(scene.width, scene.height) > 1600 ? ', shrunk to 1600 pixels.' : '.');
    const gone = ['left', 'right'].filter(side => !scene.images[state[side]]).map(side => `${label(state[side])}: ${scene.absent[state[side]]}`);
    const figures = ['left', 'right'].map(side => [label(state[side]), figureOf(state[side])]).filter(pair => pair[1])
      .map(pair => pair.join(' '));
    at('said').textContent = [`${scene.name}, ${scene.width}×${scene.height}`, ...figures, ...new Set(gone)].join(' · ');
    for (const tile of at('strip').querySelectorAll('button')) {
      tile.setAttribute('aria-pressed', String(tile.dataset.method === state.right));
    }
  }

  function figureOf(method) {
    const value = valueOf(method);
    return value === null || value === undefined ? '' : figure(value, data.metrics[state.metric].digits);
  }

  // --- the same square by every method

  function showStrip() {
    const values = set().shown.filter(method => data.methods[method].kind !== 'codec').map(valueOf)
      .filter(value => value !== null && value !== undefined);
    const best = state.metric && values.length > 1
      ? (data.metrics[state.metric].better === 'lower' ? Math.min : Math.max)(...values) : null;
    at('strip').style.setProperty('--count', set().shown.length);
    at('strip').replaceChildren(...set().shown.map(method => {
      const tile = make('button');
      tile.type = 'button';
      tile.dataset.method = method;
      tile.setAttribute('aria-pressed', String(method === state.right));
      if (scene.images[method]) tile.append(make('canvas'));
      else tile.append(make('span', 'missing', scene.absent[method] || 'no picture'));
      tile.append(make('span', 'name', label(method)));
      const text = figureOf(method);
      const mark = text && valueOf(method) === best && data.methods[method].kind !== 'codec' ? ' top-figure' : '';
      tile.append(make('span', 'figure' + mark, text ? `${data.metrics[state.metric].label} ${text}` : ' '));
      tile.addEventListener('click', () => {
        state.right = at('right').value = method;
        showSides();
      });
      return tile;
    }));
    drawStrip();
  }

  function drawStrip() {
    const [left, top, side] = state.crop;
    const box = at('crop').style;
    box.left = `${left / scene.width * 100}%`;
    box.top = `${top / scene.height * 100}%`;
    box.width = `${side / scene.width * 100}%`;
    box.height = `${side / scene.height * 100}%`;
    const truth = at('errors').checked && scene.images.sharp ? paint(make('canvas'), 'sharp') : null;
    for (const tile of at('strip').querySelectorAll('button')) {
      const canvas = tile.querySelector('canvas');
      if (!canvas) continue;
      paint(canvas, tile.dataset.method);
      if (truth && tile.dataset.method !== 'sharp') amplifyDifference(canvas, truth);
    }
  }

  // The square of a method: the whole picture, then over it what is there without loss.
  function paint(canvas, method) {
    const [left, top, side] = state.crop, [detailLeft, detailTop] = scene.crop;
    canvas.width = canvas.height = side;
    const pen = canvas.getContext('2d'), image = scene.images[method], scale = image.naturalWidth / scene.width;
    pen.drawImage(image, left * scale, top * scale, side * scale, side * scale, 0, 0, side, side);
    if (scene.details[method]) pen.drawImage(scene.details[method], detailLeft - left, detailTop - top);
    return canvas;
  }

  function amplifyDifference(canvas, truth) {
    const pen = canvas.getContext('2d');
    pen.globalCompositeOperation = 'difference';
    pen.drawImage(truth, 0, 0);
    pen.globalCompositeOperation = 'lighter';
    for (let doubled = 0; doubled < 2; doubled++) pen.drawImage(canvas, 0, 0);
  }

  function moveCrop(left, top, side) {
    const within = (value, length) => Math.round(Math.min(Math.max(value, 0), length - side));
    state.crop = [within(left, scene.width), within(top, scene.height), side];
    drawStrip();
  }

  function place(event) {
    const box = at('frame').getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * scene.width, (event.clientY - box.top) / box.height * scene.height];
  }

  // --- what the reader does

  function listen() {
    at('set').addEventListener('change', event => chooseSet(event.target.value));
    at('picture').addEventListener('change', event => choosePicture(event.target.value));
    for (const [id, step] of [['previous', -1], ['next', 1]]) {
      at(id).addEventListener('click', () => {
        const shown = [...at('gains').querySelectorAll('button')].map(button => button.dataset.picture);
        const names = shown.includes(state.picture) ? shown : set().names;
        choosePicture(names[(names.indexOf(state.picture) + step + names.length) % names.length]);
      });
    }
    for (const side of ['left', 'right']) {
      at(side).addEventListener('change', event => {
        state[side] = event.target.value;
        showSides();
      });
    }
    at('swap').addEventListener('click', () => {
      [state.left, state.right] = [state.right, state.left];
      at('left').value = state.left;
      at('right').value = state.right;
      showSides();
    });
    at('metric').addEventListener('change', event => {
      state.metric = event.target.value;
      fillMethods(state.method, state.reference);
      showGains();
      if (scene) {
        showSides();
        showStrip();
      }
    });
    for (const id of ['method', 'reference']) {
      at(id).addEventListener('change', event => {
        state[id] = event.target.value;
        showGains();
      });
    }
    at('order').addEventListener('change', showGains);
    at('side').addEventListener('change', event => {
      const [left, top, side] = state.crop, next = Number(event.target.value);
      moveCrop(left + (side - next) / 2, top + (side - next) / 2, next);
    });
    at('smooth').addEventListener('change', event => at('strip').classList.toggle('smooth', event.target.checked));
    at('errors').addEventListener('change', drawStrip);
    at('divider').addEventListener('input', event => {
      at('frame').style.setProperty('--at', `${event.target.value}%`);
      event.target.setAttribute('aria-valuetext', `${event.target.value} % of the width shows the left picture`);
    });
    listenToCrop();
  }

  function listenToCrop() {
    const frame = at('frame'), box = at('crop');
    let held = null;
    frame.addEventListener('click', event => {
      if (!scene || event.target.tagName !== 'IMG') return;
      const [x, y] = place(event), side = state.crop[2];
      moveCrop(x - side / 2, y - side / 2, side);
    });
    box.addEventListener('pointerdown', event => {
      const [x, y] = place(event);
      held = [x - state.crop[0], y - state.crop[1]];
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener('pointermove', event => {
      if (!held) return;
      const [x, y] = place(event);
      moveCrop(x - held[0], y - held[1], state.crop[2]);
    });
    for (const end of ['pointerup', 'pointercancel']) box.addEventListener(end, () => { held = null; });
    box.addEventListener('keydown', event => {
      const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (!step) return;
      event.preventDefault();
      const [left, top, side] = state.crop, far = Math.max(1, Math.round(side / 8));
      moveCrop(left + step[0] * far, top + step[1] * far, side);
    });
  }

  function listenToTables() {
    const choice = at('overview');
    if (choice) {
      const show = () => [...choice.options].forEach(option => { at(`table-${option.value}`).hidden = option.value !== choice.value; });
      choice.addEventListener('change', show);
      show();
    }
    at('interval-choice').hidden = !document.querySelector('.interval');
    at('intervals').addEventListener('change', event => at('tables').classList.toggle('with-intervals', event.target.checked));
  }

  listenToTables();
  const sets = Object.keys(data.sets).filter(name => data.sets[name].names.length && data.sets[name].shown.length);
  at('no-pictures').hidden = sets.length > 0;
  if (sets.length) {
    at('viewer').hidden = false;
    fill(at('set'), sets.map(name => [name, data.sets[name].label]), sets[0]);
    listen();
    chooseSet(sets[0]);
  }
})();
