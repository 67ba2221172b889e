'use strict';

// Settings, what they would take, and the timeline.

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
