// What is shown and small tools; page.py joins the files of this folder into one script.

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
