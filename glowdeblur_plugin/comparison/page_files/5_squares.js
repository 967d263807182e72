// The same square by every method.

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
