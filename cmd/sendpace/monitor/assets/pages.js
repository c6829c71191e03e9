// The table of pages. A page keeps its elements from one look to the next: what is open stays open, and focus stays where it is.
import { ask, byId, count, day, el, fill, plural, setText } from './dom.js';
import { askRelease, askStop } from './dialog.js';
import { Plot, rateText, spark } from './plot.js';

const table = document.querySelector('table.pages');
const rows = new Map();
let refresh = () => {};
let sparks = {};

const per = (rate) => `${+rate.toPrecision(4)}/s`;

function tone(page) {
  return { 3: 'bad', 2: 'warn', 1: 'good', 0: '' }[page.state === 'paused' ? 2 : page.urgency];
}

function stateText(page) {
  if (page.state === 'sending' && page.urgency === 0) return 'idle';
  return page.state === 'paused' && page.stop && !page.stop.hold ? `paused, ${page.stop.left} left` : page.state;
}

// lanes names what waits in little room.
function lanes(lines) {
  if (lines.length < 2) return lines[0]?.name;
  return lines.length > 2 ? `in ${lines.length} lines` : lines.map((l) => `${l.name} ${count(l.waiting)}`).join(', ');
}

const cell = (className, ...children) => el('td', { role: 'cell', className }, ...children);

class Row {
  constructor(id) {
    this.id = id;
    this.open = el('button', { type: 'button', className: 'open', 'aria-expanded': 'false' }, id);
    this.state = el('span', { className: 'pill' });
    this.spark = el('div', { className: 'spark' });
    this.figures = {};
    this.button = el('button', { type: 'button', className: 'quiet' });
    this.button.addEventListener('click', () => this.act());
    this.open.addEventListener('click', () => this.toggle());
    const figure = (name, label) => {
      const [main, small] = [el('b'), el('small')];
      this.figures[name] = [main, small];
      const c = cell(`n ${name}`, main, small);
      c.dataset.label = label;
      return c;
    };
    this.main = el('tr', { role: 'row', className: 'row' },
      cell('', el('div', { className: 'name' }, this.open, this.state)),
      cell('trend', this.spark), figure('now', 'Now'), figure('waiting', 'Waiting'), figure('oldest', 'Oldest'),
      figure('eta', 'Done in'), figure('usage', 'Usage'), cell('act', this.button));
    this.why = el('tr', { role: 'row', className: 'why' }, el('td', { role: 'cell', colSpan: 8 }));
    this.more = el('tr', { role: 'row', className: 'more', hidden: true }, el('td', { role: 'cell', colSpan: 8 }));
    this.body = el('tbody', { role: 'rowgroup' }, this.main, this.why, this.more);
    this.body.dataset.page = id;
  }

  set(name, main, small = '') {
    setText(this.figures[name][0], main === '-' ? '–' : main);
    setText(this.figures[name][1], small);
  }

  show(page, mayAct) {
    this.page = page;
    setText(this.state, stateText(page));
    this.state.className = `pill ${tone(page)}`;
    const bulk = page.bulk > 0 && page.bulk < page.limit ? `, bulk ${+page.bulk.toPrecision(4)}` : '';
    this.set('now', `${rateText(page.rate)}/s`, page.limit > 0 ? `of ${+page.limit.toPrecision(4)}${bulk}` : '');
    this.set('waiting', count(page.waiting), lanes(page.lines));
    this.set('oldest', page.oldest);
    this.set('eta', page.eta);
    const budget = page.budget ? `${count(Math.max(0, page.budget - page.spent))} left today` : '';
    this.set('usage', page.usage ? `${page.usage} %` : '–', budget);
    this.figures.usage[0].parentElement.classList.toggle('none', !page.usage && !budget);
    this.button.hidden = !mayAct;
    setText(this.button, page.stop ? (page.stop.hold ? 'Release' : 'Resume') : 'Pause');
    this.button.setAttribute('aria-label', `${this.button.textContent} page ${this.id}`);
    this.reasons(page);
    if (!this.more.hidden) this.facts();
  }

  reasons(page) {
    const said = [];
    if (page.stop) {
      const code = page.stop.code ? ` (code ${page.stop.code})` : '';
      const kind = page.stop.hold ? 'On hold' : 'Paused';
      said.push(el('p', { className: page.stop.hold ? 'bad' : '' }, `${kind} since ${day(page.stop.since)}: ${page.stop.why}${code}`));
    }
    if (page.temporary) said.push(el('p', { className: 'info' }, `For a time: ${page.temporary}`));
    this.why.hidden = said.length === 0;
    fill(this.why.firstChild, said);
  }

  act() {
    if (this.page.stop) askRelease(this.id, this.page.stop, refresh);
    else askStop(this.id, refresh);
  }

  toggle() {
    const opened = this.more.hidden;
    this.more.hidden = !opened;
    this.open.setAttribute('aria-expanded', String(opened));
    if (opened && !this.plot) {
      const box = el('div', { className: 'plot' });
      this.factBox = el('dl', { className: 'facts' });
      this.lineBox = el('div', { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': `What waits at page ${this.id}` });
      this.more.firstChild.append(el('div', { className: 'inner' }, el('h3', {}, 'Sent a second, the last hour'), box, this.factBox, this.lineBox));
      this.plot = new Plot(box, `Page ${this.id}, the last hour`);
    }
    if (opened) {
      this.facts();
      this.past();
    }
  }

  async past() {
    try {
      this.plot.show(await ask(`/api/history?page=${encodeURIComponent(this.id)}`));
    } catch {
      // The next one may work; the head of the page says that there is trouble.
    }
  }

  facts() {
    const p = this.page;
    const facts = [['All lanes', p.limit], ['Bulk', p.bulk], ['Media', p.media]].filter(([, rate]) => rate > 0)
      .map(([name, rate]) => [name, per(rate)]);
    for (const [name, n] of Object.entries(p.outcomes ?? {})) if (n > 0) facts.push([name, count(n)]);
    fill(this.factBox, facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
    const head = ['Lane', 'Waiting', 'Oldest', 'Allowed', 'Done in', 'Next waits for'];
    const line = (l) => [l.name, count(l.waiting), l.oldest, l.rate > 0 ? per(l.rate) : '–', l.eta === '-' ? '–' : l.eta, l.limit];
    const lines = el('table', { className: 'lines' },
      el('tr', {}, ...head.map((text) => el('th', { scope: 'col' }, text))),
      ...p.lines.map((l) => el('tr', {}, ...line(l).map((text) => el('td', {}, text)))));
    fill(this.lineBox, [p.lines.length > 0 ? lines : el('p', { className: 'muted' }, 'Nothing waits.')]);
  }
}

export function onAct(again) {
  refresh = again;
}

// showPages shows the pages of an answer, in its order.
export function showPages(fleet) {
  let last = table.tHead;
  const here = new Set();
  for (const page of fleet.pages) {
    here.add(page.id);
    if (!rows.has(page.id)) {
      rows.set(page.id, new Row(page.id));
      spark(rows.get(page.id).spark, sparks[page.id]);
    }
    const row = rows.get(page.id);
    row.show(page, fleet.act);
    if (last.nextElementSibling !== row.body) last.after(row.body);
    last = row.body;
  }
  for (const [id, row] of rows) {
    if (here.has(id)) continue;
    row.body.remove();
    rows.delete(id);
  }
  setText(byId('pages-count'), fleet.found === fleet.all ? count(fleet.all) : `${count(fleet.found)} of ${count(fleet.all)}`);
  byId('filter-label').hidden = fleet.all < 6;
  const left = fleet.found - fleet.pages.length;
  byId('pages-more').hidden = fleet.pages.length > 0 && left === 0;
  setText(byId('pages-more'), left > 0 ? `and ${plural(left, 'page')} more: narrow them down above`
    : fleet.all > 0 ? 'No page is like that.' : 'No page is known yet: nothing was enqueued, and no worker has run.');
}

// showSparks shows the last hour of each page.
export function showSparks(pages) {
  sparks = pages;
  for (const [id, row] of rows) {
    spark(row.spark, pages[id]);
    if (row.plot && !row.more.hidden) row.past();
  }
}
