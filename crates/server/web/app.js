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

// ---- Videos: list, select, delete ----------------------------------------------------------------------------------

async function loadFiles() {
  state.files = (await requestJson('/v1/files')).data;
  drawFiles();
}

function drawFiles() {
  const items = state.files.map((file) => {
    const name = el('span', { className: 'name' }, file.filename);
    const about = el('span', { className: 'hint' }, size(file.bytes));
    const select = button(name, () => selectFile(file), { className: 'select', 'data-id': file.id });
    select.append(about);
    if (file.id === state.file?.id) select.setAttribute('aria-current', 'true');
    const remove = { className: 'icon', 'aria-label': `Delete ${file.filename}`, title: 'Delete' };
    return el('li', {}, select, button('×', () => deleteFile(file), remove));
  });
  $('video-list').replaceChildren(...items);
  $('empty').hidden = state.file !== null;
}

function selectFile(file) {
  if (file?.id === state.file?.id) return;
  state.file = file;
  state.plan = null;
  state.position = 0;
  state.history = file ? (kept.get(`history.${file.id}`) ?? []) : [];
  for (const id of ['work', 'side', 'history-panel']) $(id).hidden = !file;
  const clip = $('settings-form').elements;
  clip.from.value = clip.to.value = ''; // They were of the other video.
  loadPlayer(file);
  drawFiles();
  if (file) {
    kept.set('selected', file.id);
    $('video-title').textContent = file.filename;
  }
  show(file && state.run?.file.id === file.id ? state.run.record : null);
  settingsChanged();
}

async function deleteFile(file) {
  const text = 'The file is removed from the server, and its questions and answers from this browser.';
  if (!(await confirmed(`Delete ${file.filename}?`, text))) return;
  try {
    await request(fileUrl(file.id), { method: 'DELETE' });
    kept.remove(`history.${file.id}`);
    state.files = state.files.filter((other) => other !== file);
    if (state.run?.file.id === file.id) state.run.controller.abort();
    if (state.file?.id === file.id) selectFile(null);
    await loadFiles();
    $('file-input').focus();
  } catch (error) {
    showError(error, () => deleteFile(file));
  }
}

// ---- Uploads -------------------------------------------------------------------------------------------------------

/** One after another: side by side they would only share the line. */
let uploads = Promise.resolve();

function addFiles(files) {
  for (const file of files) {
    const upload = { file, controller: new AbortController(), row: null };
    upload.row = uploadRow(upload);
    $('uploads').append(upload.row);
    uploads = uploads.then(() => runUpload(upload));
  }
}

function uploadRow({ file, controller }) {
  return el('li', {},
    el('span', { className: 'name' }, file.name),
    el('progress', { max: file.size, value: 0, 'aria-label': `Upload of ${file.name}` }),
    el('span', { className: 'hint' }, 'Waiting'),
    button('Cancel', () => controller.abort(), { className: 'quiet', 'aria-label': `Cancel the upload of ${file.name}` }));
}

async function runUpload({ file, controller, row }) {
  // Remembered until it is complete: the same file added again, say after a reload, goes on where it stopped.
  const memory = `upload.${file.name}.${file.size}.${file.lastModified}`;
  let upload = null;
  try {
    controller.signal.throwIfAborted();
    upload = (await pendingUpload(kept.get(memory), file)) ?? (await requestJson('/v1/uploads', {
      method: 'POST', json: { filename: file.name, bytes: file.size }, signal: controller.signal,
    }));
    kept.set(memory, upload.id);
    await sendChunks(upload, file, controller.signal, row);
    const added = await requestJson(`/v1/uploads/${upload.id}/complete`, { method: 'POST' });
    kept.remove(memory);
    await loadFiles();
    if (!state.run) selectFile(added);
  } catch (error) {
    if (!controller.signal.aborted) {
      showError(new ApiError(`${file.name}: ${error.message}`, error.status, error.retryAfterSecs), () => addFiles([file]));
    } else if (upload) {
      kept.remove(memory);
      request(`/v1/uploads/${upload.id}/cancel`, { method: 'POST' }).catch(() => {}); // Else the server drops it in time.
    }
  } finally {
    row.remove();
  }
}

async function pendingUpload(id, file) {
  if (!id) return null;
  const upload = await requestJson(`/v1/uploads/${id}`).catch(() => null);
  return upload?.status === 'pending' && upload.bytes === file.size ? upload : null;
}

async function sendChunks(upload, file, signal, row) {
  const started = { at: performance.now(), received: upload.received };
  let { received } = upload;
  drawUpload(row, file, received, null);
  while (received < file.size) {
    received = await sendChunk(upload.id, file, received, signal);
    const rate = (received - started.received) / (performance.now() - started.at);
    drawUpload(row, file, received, (file.size - received) / rate / 1000);
  }
}

/** Sends the chunk at `offset`; returns how much the server has then, which it is asked for after a failure. */
async function sendChunk(id, file, offset, signal) {
  const path = `/v1/uploads/${id}`;
  for (let tries = 1; ; tries++) {
    try {
      const body = file.slice(offset, offset + CHUNK_BYTES);
      return (await requestJson(`${path}?offset=${offset}`, { method: 'PUT', body, signal })).received;
    } catch (error) {
      const worthIt = [0, 408, 409, 429].includes(error.status) || error.status >= 500;
      if (signal.aborted || !worthIt || tries === CHUNK_TRIES) throw error;
      await sleep(error.status === 409 ? 0 : 500 * 2 ** (tries - 1));
      offset = await requestJson(path, { signal }).then(({ received }) => received, () => offset);
      if (offset >= file.size) return offset;
    }
  }
}

function drawUpload(row, file, received, leftSecs) {
  row.querySelector('progress').value = received;
  const left = leftSecs !== null && leftSecs > 1 ? `${DOT}${span(leftSecs)} left` : '';
  row.querySelector('.hint').textContent = `${size(received)} of ${size(file.size)}${left}`;
}

function listenForDrops() {
  let depth = 0; // Children of the page enter and leave too.
  const overlay = (change) => {
    depth = Math.max(0, depth + change);
    $('drop-overlay').hidden = depth === 0;
  };
  const withFiles = (action) => (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    action(event);
  };
  addEventListener('dragenter', withFiles(() => overlay(1)));
  addEventListener('dragleave', withFiles(() => overlay(-1)));
  addEventListener('dragover', withFiles((event) => (event.dataTransfer.dropEffect = 'copy')));
  addEventListener('drop', withFiles((event) => {
    overlay(-Infinity);
    addFiles(event.dataTransfer.files);
  }));
}

// ---- Player --------------------------------------------------------------------------------------------------------

let playerUrl = null;
let playerLoad = null;

function loadPlayer(file) {
  playerLoad?.abort();
  URL.revokeObjectURL(playerUrl);
  $('player').removeAttribute('src');
  $('player').load();
  playerNote(null);
  if (!file) return;
  if (!apiKey.value) {
    $('player').src = `${fileUrl(file.id)}/content`;
  } else if (file.bytes <= BLOB_BYTES) {
    loadPlayerWithKey(file);
  } else {
    const load = button('Load it', () => loadPlayerWithKey(file));
    playerNote(`With a key the video is loaded whole before it plays: ${size(file.bytes)}. `, load);
  }
}

/** A <video> sends no key by itself. */
async function loadPlayerWithKey(file) {
  playerLoad = new AbortController();
  const { signal } = playerLoad;
  playerNote('Loading the video…');
  try {
    const content = await (await request(`${fileUrl(file.id)}/content`, { signal })).blob();
    signal.throwIfAborted();
    playerUrl = URL.createObjectURL(content);
    $('player').src = playerUrl;
    playerNote(null);
  } catch (error) {
    if (!signal.aborted) playerNote(`The video could not be loaded: ${error.message}`);
  }
}

function playerNote(...content) {
  $('player-note').hidden = content[0] === null;
  $('player-note').replaceChildren(...content.filter((part) => part !== null));
}

function cannotPlay() {
  const codec = state.plan?.video.codec;
  playerNote(`This browser cannot play this video${codec ? ` (codec ${codec})` : ''}. Everything else works: `
    + 'the plan, questions, moments and the timeline.');
}

function seek(secs, focusPlayer = true) {
  movePosition(secs);
  $('player').currentTime = secs;
  if (!focusPlayer) return;
  $('player').focus({ preventScroll: true });
  $('player').scrollIntoView({ block: 'nearest', behavior: calm() ? 'auto' : 'smooth' });
}

function seekButton(secs, properties, ...children) {
  const node = button('', () => seek(secs), { ...properties, 'data-secs': secs });
  node.classList.add('seek');
  node.replaceChildren(...children);
  return node;
}

// ---- Settings ------------------------------------------------------------------------------------------------------

const settingsForm = () => $('settings-form');
const settingsValues = () => Object.fromEntries(new FormData(settingsForm()));

function loadSettings(values) {
  for (const [name, value] of Object.entries({ ...DEFAULTS, ...values })) {
    if (settingsForm().elements[name]) settingsForm().elements[name].value = value;
  }
}

/** The `longsight` object of requests. */
function longsightSettings() {
  const form = settingsForm().elements;
  const settings = { context: form.context.value, pool: form.pool.value.replaceAll(' ', ''), evidence: true };
  if (form.sampling.value === 'frames') settings.frames = Number(form.frames.value);
  else Object.assign(settings, { fps: Number(form.fps.value), max_frames: Number(form.max_frames.value) });
  if (form.scale.value) settings.scale = Number(form.scale.value);
  for (const end of ['from', 'to']) {
    if (form[end].value.trim()) settings[end] = parseClock(form[end].value);
  }
  return settings;
}

function settingsChanged() {
  const form = settingsForm().elements;
  const values = settingsValues();
  for (const label of document.querySelectorAll('[data-for]')) {
    const used = label.dataset.for === values.sampling;
    label.hidden = !used;
    label.querySelector('input').disabled = !used;
  }
  const changed = Object.keys(DEFAULTS).filter((name) => !form[name].disabled && form[name].value !== DEFAULTS[name]);
  $('settings-summary').textContent = changed.length ? `changed: ${changed.join(', ').replaceAll('_', ' ')}` : 'defaults';
  // Where the clip begins and ends is of this video only.
  kept.set('settings', { ...values, from: '', to: '' });
  planSoon();
}

// ---- Plan ----------------------------------------------------------------------------------------------------------

const planSoon = debounce(updatePlan, PLAN_DELAY_MS);
let planRequest = null;

async function updatePlan() {
  planRequest?.abort();
  if (!state.file) return;
  const wrong = settingsForm().querySelector(':invalid:not(fieldset)');
  if (wrong) return planFailed(`${wrong.closest('label').firstChild.textContent.trim()}: ${wrong.validationMessage}`);
  planRequest = new AbortController();
  const { signal } = planRequest;
  $('plan-body').setAttribute('aria-busy', 'true');
  try {
    const json = {
      video: { file_id: state.file.id }, question: $('question').value.trim(), longsight: longsightSettings(),
    };
    state.plan = await requestJson('/v1/plan', { method: 'POST', json, signal });
    drawPlan(state.plan);
  } catch (error) {
    if (!signal.aborted) planFailed(error.message);
  }
}

function planFailed(message) {
  state.plan = null;
  $('plan-body').removeAttribute('aria-busy');
  $('plan-body').replaceChildren(el('p', { className: 'warning', role: 'status' }, message));
  $('plan-summary').textContent = '';
  drawTimeline();
}

function drawPlan({ frames, tokens, context, memory, time, video, warnings }) {
  const fine = frames.filter(({ role }) => role === 'fine').length;
  const facts = [
    ['Length', clock(video.duration_secs)],
    ['Picture', `${video.width}×${video.height}, ${video.codec}`],
    ['Frames', `${number.format(frames.length)} (${number.format(fine)} fine)`],
    ['Visual tokens', number.format(tokens.visual)],
    ['Prompt tokens', number.format(tokens.prompt)],
    ['s', `${factor(context.scale)} (${context.method})`],
    ['First token', `about ${span(time.first_token_secs)}`],
  ];
  const steps = [['decoding', time.video_decode_secs], ['vision', time.vision_secs], ['prefill', time.prefill_secs]];
  const stepText = steps.filter(([, secs]) => secs > 0).map(([name, secs]) => `${name} ${span(secs)}`).join(DOT);
  $('plan-body').replaceChildren(
    factList(facts), el('p', { className: 'hint' }, stepText), tokenGauge(tokens, context), memoryGauge(memory),
    ...warnings.map((text) => el('p', { className: 'warning' }, text)));
  $('plan-body').removeAttribute('aria-busy');
  $('plan-summary').textContent = [
    count(frames.length, 'frame'), `${number.format(tokens.visual)} visual tokens`,
    `first token in about ${span(time.first_token_secs)}`,
  ].join(DOT);
  if ($('player').error) cannotPlay(); // The codec is known now.
  drawTimeline();
}

function factList(facts) {
  return el('dl', { className: 'facts' }, ...facts.flatMap(([name, text]) => [el('dt', {}, name), el('dd', {}, text)]));
}

function part(className, share) {
  const node = el('span', { className });
  node.style.width = `${100 * share}%`;
  return node;
}

function mark(className, share) {
  const node = el('span', { className: `mark ${className}` });
  node.style.left = `${100 * share}%`;
  return node;
}

/** Visual tokens on one bar with both windows. */
function tokenGauge({ visual }, { window_tokens: window, language_window_tokens: language, method, scale }) {
  const most = 1.04 * Math.max(visual, window, language);
  const within = Math.min(visual, window);
  const bar = el('div', { className: 'bar' },
    part('within', within / most), part('beyond', (visual - within) / most),
    mark('visual', window / most), mark('language', language / most));
  const ratio = factor(visual / window);
  const beyond = method === 'none'
    ? `${ratio} times the visual window, and positions are not scaled`
    : `${ratio} times the visual window: ${method} scales positions by s = ${factor(scale)}`;
  const said = `Visual tokens: ${visual <= window ? `${percent(visual / window)} of the visual window` : beyond}`;
  const legend = [
    ['visual', `visual window ${number.format(window)}`], ['language', `language window ${number.format(language)}`],
  ];
  const label = [said, `${number.format(visual)} tokens`, ...legend.map(([, text]) => text)].join('; ');
  return el('figure', { id: 'gauge', role: 'img', 'aria-label': label },
    bar, el('figcaption', {}, said), gaugeLegend(legend));
}

function gaugeLegend(entries) {
  const items = entries.map(([name, text]) => el('li', {}, el('span', { className: `swatch ${name}` }), text));
  return el('ul', { className: 'plain key' }, ...items);
}

function memoryGauge(memory) {
  const parts = [
    ['weights', memory.weights_bytes], ['KV cache', memory.kv_cache_bytes], ['work', memory.work_bytes],
    ['video decoder', memory.video_decoder_bytes], ['program', memory.program_bytes],
  ].filter(([, bytes]) => bytes > 0).map(([name, bytes], i) => ({ name, bytes, swatch: `memory-${i + 1}` }));
  const label = `Memory: about ${size(memory.total_bytes)}`;
  const legend = parts.map(({ name, bytes, swatch }) => [swatch, `${name} ${size(bytes)}`]);
  return el('figure', { role: 'img', 'aria-label': `${label}: ${legend.map(([, text]) => text).join(', ')}` },
    el('div', { className: 'bar' }, ...parts.map(({ bytes, swatch }) => part(swatch, bytes / memory.total_bytes))),
    el('figcaption', {}, label), gaugeLegend(legend));
}

// ---- Timeline ------------------------------------------------------------------------------------------------------

const TIMELINE = { height: 88, top: 4, ticks: 66, fine: 20, coarse: 9, labels: 83 };
const LABEL_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/** What the timeline shows: the frames of the answer on the page, else those planned. */
function timelineData() {
  const { shown } = state;
  const duration = shown?.duration_secs || state.plan?.video.duration_secs || $('player').duration || 0;
  if (shown?.frames) return { duration, frames: shown.frames, evidence: shown.evidence, planned: false };
  return { duration, frames: state.plan?.frames ?? [], evidence: null, planned: true };
}

function drawTimeline() {
  const { duration, frames, evidence, planned } = timelineData();
  const width = $('timeline').clientWidth;
  const x = (secs) => (duration > 0 ? (secs / duration) * width : 0);
  setAll($('timeline'), {
    viewBox: `0 0 ${width || 1} ${TIMELINE.height}`, 'aria-valuemin': 0, 'aria-valuemax': Math.round(duration),
  });
  const ticks = (role, height) => {
    const times = frames.filter((frame) => frame.role === role).map((frame) => frame.time_secs);
    const d = times.map((secs) => `M${x(secs).toFixed(1)} ${TIMELINE.ticks}v${-height}`).join('');
    return svg('path', { class: role, d });
  };
  $('timeline').replaceChildren(
    ...(evidence?.moments ?? []).map(({ from_secs: from, to_secs: to }) => svg('rect', {
      class: 'moment', x: x(from), y: 0, width: Math.max(2, x(to) - x(from)), height: TIMELINE.ticks,
    })),
    ...evidenceCurve(frames, evidence?.frame_scores ?? [], x),
    ticks('coarse', TIMELINE.coarse), ticks('fine', TIMELINE.fine),
    svg('line', { class: 'base', x1: 0, x2: width, y1: TIMELINE.ticks, y2: TIMELINE.ticks }),
    ...timeLabels(duration, width, x),
    svg('path', { id: 'playhead', d: `M0 0V${TIMELINE.ticks}M-4 0h8l-4 6z` }));
  movePosition(state.position);
  describeTimeline(frames, evidence, planned);
}

function evidenceCurve(frames, scores, x) {
  const most = Math.max(...scores);
  if (scores.length !== frames.length || !(most > 0)) return [];
  const base = TIMELINE.ticks - TIMELINE.fine - 3;
  const y = (score) => base - (score / most) * (base - TIMELINE.top);
  const points = frames.map(({ time_secs: secs }, i) => `${x(secs).toFixed(1)} ${y(scores[i]).toFixed(1)}`);
  const end = (frame) => `${x(frame.time_secs).toFixed(1)} ${base}`;
  return [
    svg('path', { class: 'evidence-area', d: `M${end(frames[0])}L${points.join('L')}L${end(frames.at(-1))}z` }),
    svg('path', { class: 'evidence-line', d: `M${points.join('L')}` }),
  ];
}

function timeLabels(duration, width, x) {
  const step = LABEL_STEPS.find((secs) => x(secs) >= 64) ?? duration;
  const labels = [];
  for (let secs = 0; duration > 0 && secs <= duration && x(secs) < width - 18; secs += step) {
    const anchor = secs === 0 ? 'start' : 'middle';
    labels.push(svg('text', { x: x(secs), y: TIMELINE.labels, 'text-anchor': anchor }, clock(secs)));
  }
  return labels;
}

/** The timeline in words, and its legend. */
function describeTimeline(frames, evidence, planned) {
  const fine = frames.filter(({ role }) => role === 'fine').length;
  const what = `${planned ? 'Planned' : 'Sampled'}: ${count(frames.length, 'frame')}`;
  const ticks = frames.length ? `${what}, ${fine} fine (tall), ${frames.length - fine} coarse (short)` : '';
  const moments = evidence?.moments ?? [];
  $('timeline-legend').textContent = moments.length ? [ticks, 'curve: evidence', 'shaded: moments'].join(DOT) : ticks;
  const words = moments.map(({ from_secs: from, to_secs: to, score }) => (
    `${clock(from)} to ${clock(to)}, ${percent(score)} of the evidence`));
  const said = words.length ? ` Moments: ${words.join('; ')}.` : '';
  $('timeline-text').textContent = `${ticks}.${said} Arrow keys seek by 5 seconds, Page keys by a tenth.`;
}

function movePosition(secs) {
  const { duration } = timelineData();
  state.position = Math.min(Math.max(0, secs), duration || secs);
  const left = duration > 0 ? (state.position / duration) * $('timeline').clientWidth : 0;
  $('playhead')?.setAttribute('transform', `translate(${left.toFixed(1)} 0)`);
  const text = `${clock(state.position)} of ${clock(duration)}`;
  setAll($('timeline'), { 'aria-valuenow': Math.round(state.position), 'aria-valuetext': text });
}

function seekByPointer(event) {
  const box = $('timeline').getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  seek(share * timelineData().duration, false);
}

function seekByKey(event) {
  const { duration } = timelineData();
  const targets = {
    ArrowLeft: state.position - 5, ArrowDown: state.position - 5,
    ArrowRight: state.position + 5, ArrowUp: state.position + 5,
    PageDown: state.position - duration / 10, PageUp: state.position + duration / 10, Home: 0, End: duration,
  };
  if (!(event.key in targets)) return;
  event.preventDefault();
  seek(Math.min(duration, Math.max(0, targets[event.key])), false);
}

// ---- A question ----------------------------------------------------------------------------------------------------

/** Earlier questions and answers that the next one goes on from. */
function earlierTurns() {
  const { shown } = state;
  if (!$('follow-up').checked || !shown?.finish || !shown.answer) return [];
  return [...shown.earlier, { question: shown.question, answer: shown.answer }];
}

function messages(fileId, turns, question) {
  const texts = [...turns.flatMap((turn) => [turn.question, turn.answer]), question];
  return texts.map((text, i) => ({
    role: i % 2 ? 'assistant' : 'user',
    content: i === 0 ? [{ type: 'video_url', video_url: { url: fileId } }, { type: 'text', text }] : text,
  }));
}

function submitQuestion() {
  const question = $('question').value.trim();
  if (!question || !state.file || state.run) return;
  if (!settingsForm().checkValidity()) {
    $('settings').open = true;
    settingsForm().reportValidity();
    return;
  }
  runQuestion(state.file, question, earlierTurns());
}

async function runQuestion(file, question, earlier) {
  if (state.run) return;
  hideError();
  selectFile(file); // Another may be, where this is a second try.
  if ($('question').value.trim() === question) $('question').value = '';
  const record = {
    id: `${Date.now()}`, asked_at: Date.now(), question, earlier, answer: '', finish: null,
    frames: null, duration_secs: state.plan?.video.duration_secs ?? 0, evidence: null, receipt: null,
  };
  const run = { record, file, controller: new AbortController(), progress: null };
  state.run = run;
  openRecord(record);
  try {
    await streamAnswer(run);
  } catch (error) {
    const stopped = run.controller.signal.aborted;
    record.finish = stopped ? 'stopped' : 'error';
    const broken = error instanceof ApiError ? error : new ApiError(`The connection broke: ${error.message}`);
    if (!stopped) showError(broken, () => runQuestion(file, question, earlier));
  }
  state.run = null;
  finishRun(run);
}

async function streamAnswer({ record, file, controller }) {
  const form = settingsForm().elements;
  const json = {
    model: state.model.id, messages: messages(file.id, record.earlier, record.question), stream: true,
    max_tokens: Number(form.max_tokens.value), temperature: Number(form.temperature.value),
    longsight: { ...longsightSettings(), progress: true },
  };
  const response = await request('/v1/chat/completions', { method: 'POST', json, signal: controller.signal });
  for await (const event of events(response)) {
    if (event.error) throw new ApiError(event.error.message);
    if (event.longsight?.progress) setProgress(state.run, event.longsight.progress);
    const choice = event.choices?.[0];
    if (choice?.delta?.content) addText(record, choice.delta.content);
    if (choice?.finish_reason) record.finish = choice.finish_reason;
    if (event.longsight?.receipt) takeReceipt(record, event.longsight);
  }
  if (!record.finish) throw new ApiError('The connection ended before the answer was complete.');
}

function takeReceipt(record, { receipt, evidence }) {
  record.receipt = receipt;
  record.frames = receipt.frames.map(({ time_secs, role }) => ({ time_secs, role }));
  record.evidence = evidence ?? null;
}

function addText(record, text) {
  record.answer += text;
  state.run.progress = null;
  if (state.shown !== record) return;
  $('answer').append(text);
  drawProgress();
}

/** Keeps what came of a run, and shows it where its video is still selected. */
function finishRun({ record, file }) {
  const history = state.file?.id === file.id ? state.history : (kept.get(`history.${file.id}`) ?? []);
  if (record.answer || record.receipt) history.unshift(record);
  else if (state.shown === record && !$('question').value) $('question').value = record.question;
  if (state.files.some(({ id }) => id === file.id)) saveHistory(file.id, history);
  if (state.shown === record) show(record.answer || record.receipt ? record : null);
  else drawRunning();
}

// ---- Progress ------------------------------------------------------------------------------------------------------

function setProgress(run, { stage, done, total }) {
  const now = performance.now();
  const before = run.progress;
  const same = before?.stage === stage;
  run.progress = {
    stage, done, total, now,
    began: same ? before.began : { at: now, done },
    announced: same && now - before.announced < ANNOUNCE_MS ? before.announced : now,
  };
  if (state.shown !== run.record) return;
  drawProgress();
  if (run.progress.announced === now) $('progress-live').textContent = progressText(run.progress);
}

function progressText(progress) {
  if (!progress) return state.run?.record.answer ? 'Answering' : 'Sent';
  const { stage, done, total } = progress;
  if (stage === 'queue') return `In the queue: place ${done} of ${total}`;
  if (stage === 'frames') return `Reading frames: ${number.format(done)} of ${number.format(total)}`;
  return `Prefill of the prompt: ${percent(total ? done / total : 0)}`;
}

/** From the rate since the stage began; null while that says too little. */
function secondsLeft(progress) {
  if (!progress || progress.stage === 'queue' || progress.now - progress.began.at < ETA_AFTER_MS) return null;
  const rate = (progress.done - progress.began.done) / (progress.now - progress.began.at);
  return rate > 0 && progress.done < progress.total ? (progress.total - progress.done) / rate / 1000 : null;
}

function drawProgress() {
  const run = state.run?.record === state.shown ? state.run : null;
  $('progress').hidden = !run;
  if (!run) return;
  const { progress } = run;
  const left = secondsLeft(progress);
  $('progress-text').textContent = progressText(progress);
  $('progress-eta').textContent = left === null ? '' : `about ${span(left)} left`;
  const bar = $('progress-bar');
  if (progress && progress.stage !== 'queue' && progress.total) setAll(bar, { max: progress.total, value: progress.done });
  else bar.removeAttribute('value');
}

/** What depends on whether a question is at work. */
function drawRunning() {
  const running = state.run !== null;
  const here = running && state.run.file.id === state.file?.id;
  $('ask').disabled = running;
  $('ask').title = running && !here ? `A question about ${state.run.file.filename} is at work` : '';
  $('stop').hidden = !running;
  if (running) $('answer').setAttribute('aria-busy', 'true');
  else $('answer').removeAttribute('aria-busy');
  drawProgress();
  drawHistory();
  drawFollowUp();
}

function drawFollowUp() {
  const turns = earlierTurns();
  $('follow-note').hidden = turns.length === 0;
  const more = turns.length > 1 ? ` and ${count(turns.length - 1, 'question')} before it` : '';
  $('follow-note').textContent = turns.length ? `Goes on from “${turns.at(-1).question}”${more}.` : '';
}

// ---- Answer, moments, receipt --------------------------------------------------------------------------------------

/** Shows a record: at work, just finished, or of the history; null shows none. */
function show(record) {
  state.shown = record;
  $('result').hidden = !record;
  $('progress-live').textContent = '';
  if (record) {
    $('asked').textContent = record.question;
    const text = record.finish === null ? [record.answer] : linkTimes(record.answer, record.duration_secs);
    $('answer').replaceChildren(...text);
    drawFinish(record);
    drawMoments(record.evidence);
    drawReceipt(record.receipt);
  }
  drawRunning();
  drawTimeline();
}

function drawFinish({ finish }) {
  const texts = {
    length: 'The answer ends here because it has as many tokens as the settings allow.',
    stopped: 'Stopped before the answer was complete.', error: 'The answer broke off.',
  };
  $('finish').hidden = !(finish in texts);
  $('finish').textContent = texts[finish] ?? '';
}

/** The text in pieces, clock times within the video as buttons that seek. */
function linkTimes(text, duration) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(/(?<![\d:.])(?:\d{1,2}:[0-5]\d|\d{1,3}):[0-5]\d(?![\d:])/g)) {
    const secs = parseClock(match[0]);
    if (duration && secs > duration) continue;
    pieces.push(text.slice(end, match.index), seekButton(secs, { 'aria-label': `Go to ${match[0]}` }, match[0]));
    end = match.index + match[0].length;
  }
  return [...pieces, text.slice(end)];
}

function drawMoments(evidence) {
  const moments = evidence?.moments ?? [];
  $('evidence').hidden = moments.length === 0;
  $('moments').replaceChildren(...moments.map((moment, i) => {
    const { best_time_secs: best, from_secs: from, to_secs: to, score } = moment;
    const picture = evidence.thumbnails?.[i];
    const label = `Go to ${clock(best)}: ${percent(score)} of the evidence, from ${clock(from)} to ${clock(to)}`;
    const bar = el('span', { className: 'bar' }, part('within', Math.min(1, score)));
    return el('li', {}, seekButton(best, { 'aria-label': label },
      picture ? el('img', { src: picture, alt: '' }) : el('span', { className: 'no-picture' }, 'No picture'),
      el('span', { className: 'time' }, clock(best)), el('span', { className: 'hint' }, `${clock(from)} – ${clock(to)}`),
      el('span', { className: 'score' }, bar, percent(score))));
  }));
}

function drawReceipt(receipt) {
  $('receipt').hidden = !receipt;
  if (!receipt) return;
  const { tokens, context, timings, peak_bytes: peak, kv_cache: kv, index, warnings = [] } = receipt;
  const steps = ['video_decode', 'preprocess', 'vision', 'prefill', 'generate', 'index']
    .map((name) => [name.replace('_', ' '), timings?.[`${name}_secs`] ?? 0]);
  const total = steps.reduce((sum, [, secs]) => sum + secs, 0);
  $('receipt-summary').textContent = `${number.format(tokens.visual)} visual tokens${DOT}${span(total)}`;
  const facts = [
    ['Prompt', `${count(tokens.prompt, 'token')}, ${number.format(tokens.visual)} visual`],
    ['Reused', count(tokens.reused ?? 0, 'token')],
    ['Answer', count(tokens.generated ?? 0, 'token')],
    ['Context', `${context.method}, s ${factor(context.scale)}`],
    ['Pooling', receipt.pool?.spec ?? ''],
    ['Time', steps.filter(([, secs]) => secs > 0.0005).map(([name, secs]) => `${name} ${span(secs)}`).join(', ')],
    ['Peak memory', peak ? size(peak) : ''],
    ['KV cache', kv ? `${size(kv.bytes)}, ${kv.dtype}` : ''],
    ['Index', index ? `embeddings ${index.embeddings}, KV prefix ${index.kv_prefix ?? 'unused'}` : 'off'],
  ].filter(([, text]) => text);
  $('receipt-body').replaceChildren(factList(facts), ...warnings.map((text) => el('p', { className: 'warning' }, text)),
    el('details', {}, el('summary', {}, 'Whole receipt'), el('pre', { tabIndex: 0 }, JSON.stringify(receipt, null, 2))));
}

// ---- History -------------------------------------------------------------------------------------------------------

function withoutPictures(record) {
  return record.evidence ? { ...record, evidence: { ...record.evidence, thumbnails: [] } } : record;
}

/** What is kept of a record; the frames of its receipt are in it once, with time and role. */
function forStorage(record) {
  return record.receipt ? { ...record, receipt: { ...record.receipt, frames: undefined } } : record;
}

/** Keeps the records of a file; where the storage is full first pictures go, then the oldest records. */
function saveHistory(fileId, records) {
  const key = `history.${fileId}`;
  let rest = records.map(forStorage);
  if (rest.length === 0) return kept.remove(key);
  if (kept.set(key, rest)) return;
  rest = rest.map((record, i) => (i ? withoutPictures(record) : record));
  if (kept.set(key, rest)) return;
  for (const { id } of state.files.filter((file) => file.id !== fileId)) {
    const others = kept.get(`history.${id}`);
    if (others) kept.set(`history.${id}`, others.map(withoutPictures));
  }
  for (rest = rest.map(withoutPictures); rest.length; rest.pop()) {
    if (kept.set(key, rest)) return;
  }
  showError(new ApiError('This browser keeps no more data for this page: the answer is gone after a reload.'));
}

function drawHistory() {
  const running = state.run && state.run.file.id === state.file?.id ? [state.run.record] : [];
  const items = [...running, ...state.history].map(historyItem);
  $('history').replaceChildren(...items);
  $('history-empty').hidden = items.length > 0;
}

function historyItem(record) {
  const atWork = record.finish === null;
  const asked = new Date(record.asked_at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  const about = `${atWork ? 'at work' : asked}${record.earlier.length ? `${DOT}follow-up` : ''}`;
  const name = el('span', { className: 'name' }, record.question);
  const open = button(name, () => openRecord(record), { className: 'select' });
  open.append(el('span', { className: 'hint' }, about));
  if (record === state.shown) open.setAttribute('aria-current', 'true');
  const label = { className: 'icon', 'aria-label': `Delete “${record.question}”`, title: 'Delete' };
  const remove = button('×', () => forget(record), label);
  return el('li', { className: 'history-item' }, open, ...(atWork ? [] : [remove]));
}

function openRecord(record) {
  show(record);
  $('result').scrollIntoView({ block: 'nearest', behavior: calm() ? 'auto' : 'smooth' });
}

function forget(record) {
  state.history = state.history.filter((other) => other !== record);
  saveHistory(state.file.id, state.history);
  if (state.shown === record) show(null);
  else drawHistory();
  ($('history').querySelector('.select') ?? $('question')).focus();
}

// ---- Start ---------------------------------------------------------------------------------------------------------

function listen() {
  const on = (id, event, action) => $(id).addEventListener(event, action);
  on('theme', 'click', toggleTheme);
  prefersDark.addEventListener('change', applyTheme);
  on('key-cancel', 'click', () => $('key-dialog').close(''));
  on('file-input', 'change', () => {
    addFiles([...$('file-input').files]);
    $('file-input').value = ''; // So that the same file can be chosen again.
  });
  listenForDrops();
  on('player', 'timeupdate', () => movePosition($('player').currentTime));
  on('player', 'error', cannotPlay);
  on('player', 'loadedmetadata', () => {
    if ($('player').videoWidth === 0) cannotPlay(); // The sound alone plays.
    drawTimeline();
  });
  on('timeline', 'pointerdown', (event) => {
    $('timeline').setPointerCapture(event.pointerId);
    seekByPointer(event);
  });
  on('timeline', 'pointermove', (event) => event.buttons === 1 && seekByPointer(event));
  on('timeline', 'keydown', seekByKey);
  new ResizeObserver(drawTimeline).observe($('timeline'));
  on('ask-form', 'submit', (event) => {
    event.preventDefault();
    submitQuestion();
  });
  on('question', 'input', planSoon);
  on('question', 'keydown', (event) => {
    // Enter also ends the composition of a character; that one is not meant for us.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submitQuestion();
  });
  on('stop', 'click', () => {
    state.run?.controller.abort();
    $('question').focus();
  });
  on('follow-up', 'change', drawFollowUp);
  on('settings-form', 'input', settingsChanged);
  on('settings-form', 'submit', (event) => event.preventDefault());
  on('settings-form', 'reset', (event) => {
    event.preventDefault();
    loadSettings({});
    settingsChanged();
  });
}

async function load() {
  try {
    const { data: models } = await requestJson('/v1/models');
    state.model = models[0];
    $('model').textContent = `${state.model.id}${state.model.longsight?.built_in ? ' · built-in, for trying out' : ''}`;
    await loadFiles();
    selectFile(state.files.find(({ id }) => id === kept.get('selected')) ?? null);
  } catch (error) {
    $('empty').hidden = false;
    showError(error, load);
  }
}

function start() {
  applyTheme();
  loadSettings(kept.get('settings'));
  listen();
  load();
}

applyTheme();
document.addEventListener('DOMContentLoaded', start);
