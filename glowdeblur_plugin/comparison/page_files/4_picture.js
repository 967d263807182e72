// One picture by all methods, and the two beside the divider.

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
  const {embedded, shown} = set(), inside = embedded[name];
  const found = {name, images: {}, details: {}, absent: inside ? {...inside.absent} : {}, inside: Boolean(inside)};
  await Promise.all(shown.map(async method => {
    if (method in found.absent) return;
    const image = await load(inside ? data.uris[inside.whole[method]] : address(method, name));
    if (image) found.images[method] = image;
    else found.absent[method] = 'not beside this page';
    if (inside && method in inside.detail) found.details[method] = await load(data.uris[inside.detail[method]]);
  }));
  const {naturalWidth, naturalHeight} = shown.map(method => found.images[method]).find(Boolean) || {};
  found.width = inside ? inside.width : naturalWidth || 4;
  found.height = inside ? inside.height : naturalHeight || 3;
  const shorter = Math.min(found.width, found.height), side = Math.min(160, shorter, Math.max(32, Math.floor(shorter / 5)));
  found.crop = inside ? inside.crop : [(found.width - side) >> 1, (found.height - side) >> 1, side];
  return found;
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
  at('quality').textContent = quality();
  const gone = ['left', 'right'].map(side => state[side]).filter(method => !scene.images[method])
    .map(method => `${label(method)}: ${scene.absent[method]}`);
  const figures = ['left', 'right'].map(side => [label(state[side]), figureOf(state[side])]).filter(pair => pair[1])
    .map(pair => pair.join(' '));
  at('said').textContent = [`${scene.name}, ${scene.width}×${scene.height}`, ...figures, ...new Set(gone)].join(' · ');
  for (const tile of at('strip').querySelectorAll('button')) {
    tile.setAttribute('aria-pressed', String(tile.dataset.method === state.right));
  }
}

function quality() {
  if (!scene.inside) return 'This picture is not inside this page: it is read from the folder pictures/ beside it.';
  if (!Object.keys(scene.details).length) return 'These pictures are inside this page without loss.';
  const shrunk = Object.values(scene.images).some(image => image.naturalWidth < scene.width);
  return 'Inside this page, the square that is shown first is without loss; the rest is WebP of quality 90'
    + (shrunk ? ', shrunk to 1600 pixels.' : '.');
}

function figureOf(method) {
  const value = valueOf(method);
  return value === null || value === undefined ? '' : figure(value, data.metrics[state.metric].digits);
}
