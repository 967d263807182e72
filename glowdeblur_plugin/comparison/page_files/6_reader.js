// What the reader does, and the start.

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
    const show = () => {
      for (const option of choice.options) at(`table-${option.value}`).hidden = option.value !== choice.value;
    };
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
