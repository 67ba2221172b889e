'use strict';

// Questions asked before, and the start.

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
