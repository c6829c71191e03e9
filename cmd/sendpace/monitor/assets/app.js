// The monitor's page: it asks each two seconds as long as somebody looks, and shows what it hears.
import { ask, byId, count, day, el, fill, setText } from './dom.js';
import { askRelease, askStop } from './dialog.js';
import { onAct, showPages, showSparks } from './pages.js';
import { clock, Plot, rateText } from './plot.js';

const every = 2000, pastEvery = 10_000;
const plot = new Plot(byId('plot'), 'All pages, the last hour');
let fleet, failing, asked = 0;

function showNotes() {
  const notes = fleet ? fleet.notes.map((n) => el('p', { className: n.bad ? 'note bad' : 'note' }, n.text)) : [];
  if (fleet?.stop) {
    const { hold, why, left, since } = fleet.stop;
    const text = `All pages are ${hold ? 'on hold' : `paused for another ${left}`}, since ${day(since)}: ${why}`;
    notes.unshift(el('p', { className: 'note bad' }, text));
  }
  if (failing) notes.unshift(el('p', { className: 'note bad' }, `${failing}. ${fleet ? `The figures are those of ${clock(new Date(fleet.at), true)}.` : ''}`));
  fill(byId('notes'), notes);
}

function showTotals() {
  setText(byId('t-rate'), rateText(fleet.rate));
  for (const name of ['waiting', 'active', 'retrying', 'scheduled', 'archived']) setText(byId(`t-${name}`), count(fleet[name]));
  setText(byId('t-workers'), count(fleet.workers.length));
  byId('t-workers').classList.toggle('bad', fleet.workers.length === 0);
  const ended = Object.entries(fleet.outcomes).filter(([, n]) => n > 0).map(([name, n]) => `${name} ${count(n)}`);
  setText(byId('outcomes'), ended.length > 0 ? `Jobs that ended so far: ${ended.join(', ')}.` : '');
}

function showWorkers() {
  fill(byId('worker-list'), fleet.workers.length === 0 ? [el('li', { className: 'none' }, 'None runs.')] : fleet.workers.map((w) =>
    el('li', {}, el('b', {}, w.host || 'unknown host'), el('span', { className: 'muted fill' }, `pid ${w.pid}${w.version ? `, ${w.version}` : ''}`),
      w.leads ? el('span', { className: 'pill good' }, 'leads') : '', el('span', { className: 'muted' }, `up ${w.up}`))));
}

function showErrors() {
  fill(byId('error-list'), fleet.errors.length === 0 ? [el('li', { className: 'none' }, 'None.')] : fleet.errors.map((e) =>
    el('li', {}, el('time', { dateTime: e.at }, day(e.at)), el('b', {}, `page ${e.page || 'unknown'}`), el('span', {}, `${e.kind}: ${e.why}`))));
}

function show() {
  showTotals();
  showPages(fleet);
  showWorkers();
  showErrors();
  const all = byId('stop-all');
  all.hidden = !fleet.act;
  setText(all, fleet.stop ? 'Let all pages send' : 'Pause all pages');
}

function showBroadcasts(list) {
  byId('broadcasts').hidden = list.length === 0;
  const tones = { running: 'good', testing: 'good', paused: 'warn', cancelled: 'bad' };
  fill(byId('broadcast-list'), list.map((b) => {
    const all = Math.max(1, b.sent + b.failed + b.left), track = el('div', { className: 'track', 'aria-hidden': 'true' });
    for (const [name, n] of [['', b.sent], ['bad', b.failed]]) {
      const part = el('i', { className: name });
      part.style.width = `${(100 * n) / all}%`;
      track.append(part);
    }
    const failed = b.failed > 0 ? `, ${count(b.failed)} not` : '';
    return el('li', {}, el('b', {}, b.name), el('span', { className: 'muted' }, `page ${b.page}`),
      el('span', { className: `pill ${tones[b.state] ?? ''}` }, b.state), el('span', { className: 'muted fill' }, b.why ?? ''),
      el('span', {}, `${count(b.sent)} of ${count(all)} sent${failed}`), track);
  }));
}

function tell(state, text) {
  byId('live').dataset.state = state;
  setText(byId('live-text'), text);
  document.body.classList.toggle('stale', state === 'off' && !!fleet);
}

let timer, looking = false, again = false;

// look asks once, and then again and again. While an answer is waited for no second question is asked.
async function look() {
  clearTimeout(timer);
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  again = false;
  try {
    fleet = await ask(`/api/fleet?q=${encodeURIComponent(byId('filter').value.trim())}`);
    failing = undefined;
    show();
    tell('on', `live, ${clock(new Date(fleet.at), true)}`);
    if (Date.now() - asked >= pastEvery) {
      asked = Date.now();
      await lookBack();
    }
  } catch (error) {
    failing = error.message;
    tell('off', 'no answer');
  }
  showNotes();
  looking = false;
  if (!document.hidden) timer = setTimeout(look, again ? 0 : every);
}

async function lookBack() {
  const [past, broadcasts] = await Promise.all([ask('/api/history'), ask('/api/broadcasts')]);
  plot.show(past);
  const most = Math.max(0, ...past.rates.map((r) => r ?? 0));
  setText(byId('plot-note'), most > 0 ? `jobs sent a second; at most ${rateText(most)}` : 'jobs sent a second');
  showSparks(past.pages ?? {});
  showBroadcasts(broadcasts);
}

byId('stop-all').addEventListener('click', () => {
  if (fleet.stop) askRelease('app', fleet.stop, look);
  else askStop('app', look);
});
let typing;
byId('filter').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(look, 200);
});
document.addEventListener('visibilitychange', () => document.hidden || look());
onAct(look);
look();
