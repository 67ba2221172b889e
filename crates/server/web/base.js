'use strict';

// The page of `longsight serve`. Text of the server and of users is only ever inserted as text, never as HTML.

const CHUNK_BYTES = 8 << 20;
const CHUNK_TRIES = 5;
/** With a key the player needs the whole file in memory; above this it is loaded when asked for. */
const BLOB_BYTES = 256 << 20;
const PLAN_DELAY_MS = 350;
const ETA_AFTER_MS = 2000;
/** How often a screen reader hears of progress within a stage. */
const ANNOUNCE_MS = 10000;

const DEFAULTS = {
  sampling: 'fps', fps: '1', max_frames: '128', frames: '64', from: '', to: '',
  context: 'vcwe', scale: '', pool: '4,2,8', max_tokens: '256', temperature: '0',
};

const state = {
  model: null, // of GET /v1/models
  files: [],
  file: null, // the selected one
  plan: null, // for that file and the settings shown
  history: [], // its records, the newest first
  shown: null, // the record on the page
  run: null, // { record, file, controller, progress } while a question is at work, for whichever file
  position: 0, // seconds; also where the browser cannot play the file
};

// ---- Small helpers -------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

function setAll(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && !(node instanceof SVGElement)) node[name] = value;
    else node.setAttribute(name, value);
  }
  return node;
}

function el(tag, properties = {}, ...children) {
  const node = setAll(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = setAll(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes);
  node.append(...children);
  return node;
}

function button(text, onclick, properties = {}) {
  return el('button', { type: 'button', onclick, ...properties }, text);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

function debounce(action, ms) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

/** A storage of the browser, which may be full or forbidden: then `get` has nothing and `set` returns false. */
function store(storage) {
  const tried = (action, otherwise) => {
    try {
      return action();
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => tried(() => JSON.parse(storage().getItem(`longsight.${key}`)), null),
    set: (key, value) => tried(() => storage().setItem(`longsight.${key}`, JSON.stringify(value)) ?? true, false),
    remove: (key) => tried(() => storage().removeItem(`longsight.${key}`)),
  };
}

const kept = store(() => localStorage);
const keptInTab = store(() => sessionStorage);

const number = new Intl.NumberFormat('en');
const count = (n, noun) => `${number.format(n)} ${noun}${n === 1 ? '' : 's'}`;
/** Between parts of a line; it never begins the next one. */
const DOT = '\u00a0· ';
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
const factor = (s) => Number(s).toFixed(2).replace(/\.?0+$/, '');

function clock(secs) {
  const whole = Math.max(0, Math.floor(secs + 1e-6));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds of `83`, `1:23` or `0:01:23`. */
const parseClock = (text) => text.trim().split(':').reduce((secs, part) => 60 * secs + Number(part), 0);

function span(secs) {
  if (secs < 0.95) return `${Math.max(1, Math.round(1000 * secs))} ms`;
  if (secs < 9.95) return `${secs.toFixed(1)} s`;
  if (secs < 60) return `${Math.round(secs)} s`;
  const minutes = Math.round(secs / 60);
  if (minutes < 10) return `${Math.floor(secs / 60)} min ${Math.round(secs % 60)} s`.replace(' 60 s', ' 59 s');
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function size(bytes) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

// ---- Errors and dialogs --------------------------------------------------------------------------------------------

class ApiError extends Error {
  constructor(message, status = 0, retryAfterSecs = null) {
    super(message);
    Object.assign(this, { status, retryAfterSecs });
  }
}

function showError(error, retry = null) {
  const buttons = [button('Dismiss', hideError, { className: 'quiet' })];
  if (retry) {
    const again = () => {
      hideError();
      retry();
    };
    buttons.unshift(button('Try again', again, { className: 'retry' }));
  }
  const wait = error.retryAfterSecs ? ` The server expects room in ${span(error.retryAfterSecs)}.` : '';
  $('error').replaceChildren(el('p', {}, `${error.message}${wait}`), el('div', { className: 'row' }, ...buttons));
  $('error').hidden = false;
}

function hideError() {
  $('error').hidden = true;
  $('error').replaceChildren();
}

/** Shows a dialog; resolves to its value, '' where it was left. */
function answerOf(dialog) {
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }));
}

function confirmed(title, text) {
  $('confirm-title').textContent = title;
  $('confirm-text').textContent = text;
  return answerOf($('confirm-dialog'));
}

// ---- Requests ------------------------------------------------------------------------------------------------------

const apiKey = {
  value: keptInTab.get('key'),
  /** The dialog while it is open, so that requests side by side ask once. */
  asked: null,

  /** Asks for a key unless another than `refused` is there by now; null where the user leaves. */
  async get(refused) {
    if (this.value !== refused) return this.value;
    this.asked ??= this.ask(refused).finally(() => (this.asked = null));
    return this.asked;
  },

  async ask(refused) {
    $('key-note').textContent = refused ? 'The server refused that key.' : 'It is kept until this tab is closed.';
    $('key').value = '';
    if (!(await answerOf($('key-dialog')))) return null;
    this.value = $('key').value.trim();
    keptInTab.set('key', this.value);
    return this.value;
  },
};

/** A request to the server; throws ApiError, or AbortError where it was stopped. */
async function request(path, { method = 'GET', json, body, signal } = {}) {
  const key = apiKey.value;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (json) headers['Content-Type'] = 'application/json';
  const options = { method, headers, signal, body: json ? JSON.stringify(json) : body };
  const response = await fetch(path, options).catch((error) => {
    throw error.name === 'AbortError' ? error : new ApiError('The server cannot be reached. Is it running?');
  });
  if (response.ok) return response;
  if (response.status === 401 && (await apiKey.get(key))) return request(path, { method, json, body, signal });
  const said = await response.json().catch(() => null);
  const message = said?.error?.message ?? `The server answered ${response.status} ${response.statusText}`.trim();
  throw new ApiError(message, response.status, Number(response.headers.get('Retry-After')) || null);
}

const requestJson = async (path, options) => (await request(path, options)).json();
const fileUrl = (id) => `/v1/files/${encodeURIComponent(id)}`;

/** The objects of a stream of server-sent events, up to [DONE]. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5).trim();
      if (data === '[DONE]') return;
      yield JSON.parse(data);
    }
  }
}

// ---- Theme ---------------------------------------------------------------------------------------------------------

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function applyTheme() {
  const dark = kept.get('theme') ? kept.get('theme') === 'dark' : prefersDark.matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  if ($('theme')) $('theme').textContent = dark ? 'Light theme' : 'Dark theme';
}

function toggleTheme() {
  kept.set('theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
  applyTheme();
}
