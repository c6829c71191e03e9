// Plots of rates over time, as SVG that is made of elements and numbers alone.

export const rateText = (rate) => rate.toFixed(rate < 10 ? 2 : 1);
export const clock = (at, seconds) =>
  at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) });

function svg(name, attributes, parent) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  parent?.append(e);
  return e;
}

// top is a round number at or above the highest rate.
function top(rates) {
  const most = Math.max(...rates.map((r) => r ?? 0), 0);
  if (most === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= most * 1.02) ?? 10 * power;
}

// paths are the curve and what lies below it. Where a rate is not known both have a gap.
function paths(rates, x, y, base) {
  let curve = '', area = '';
  for (let i = 0; i < rates.length; i++) {
    if (rates[i] === null) continue;
    const from = i;
    const points = [];
    for (; i < rates.length && rates[i] !== null; i++) points.push(`${x(i).toFixed(1)} ${y(rates[i]).toFixed(1)}`);
    if (points.length === 1) points.push(`${(x(from) + 1).toFixed(1)} ${y(rates[from]).toFixed(1)}`);
    curve += `M${points.join('L')}`;
    area += `M${x(from).toFixed(1)} ${base}L${points.join('L')}L${x(i - 1).toFixed(1)} ${base}Z`;
  }
  return { curve, area };
}

// spark draws a small curve into box.
export function spark(box, rates) {
  box.replaceChildren(rates ? '' : 'nothing sent');
  if (!rates) return;
  const width = 170, height = 34, most = top(rates);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, box);
  const drawn = paths(rates, (i) => (i * width) / (rates.length - 1), (r) => height - 2 - (r / most) * (height - 5), height);
  svg('path', { d: drawn.area, class: 'area' }, root);
  svg('path', { d: drawn.curve, class: 'curve' }, root);
}

// Plot is a curve with axes in box. Pointer and arrow keys read single values.
export class Plot {
  constructor(box, name) {
    this.box = box;
    this.name = name;
    this.at = -1;
    box.tabIndex = 0;
    box.setAttribute('role', 'img');
    box.setAttribute('aria-label', name);
    box.addEventListener('pointermove', (e) => this.read(this.index(e.clientX)));
    box.addEventListener('pointerdown', (e) => this.read(this.index(e.clientX)));
    box.addEventListener('pointerleave', () => this.read(-1));
    box.addEventListener('blur', () => this.read(-1));
    box.addEventListener('keydown', (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!step || !this.data) return;
      e.preventDefault();
      const last = this.data.rates.length - 1;
      this.read(Math.min(last, Math.max(0, (this.at < 0 ? last + 1 : this.at) + step)));
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  show(data) {
    this.data = data;
    this.draw();
  }

  index(clientX) {
    if (!this.data) return -1;
    const { left } = this.box.getBoundingClientRect();
    const i = Math.round(((clientX - left - this.left) / this.inner) * (this.data.rates.length - 1));
    return i < 0 || i >= this.data.rates.length ? -1 : i;
  }

  read(i) {
    this.at = i;
    this.mark();
  }

  time(i) {
    return new Date(Date.parse(this.data.from) + i * this.data.step * 1000);
  }

  draw() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (!this.data || width === 0) return;
    const { rates } = this.data;
    const most = top(rates), right = 10, upper = 10;
    this.base = height - 24;
    this.left = 44;
    this.inner = Math.max(10, width - this.left - right);
    this.x = (i) => this.left + (i * this.inner) / (rates.length - 1);
    this.y = (r) => this.base - (r / most) * (this.base - upper);
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
    for (const share of [0, 0.5, 1]) {
      const y = this.y(share * most);
      svg('line', { x1: this.left, x2: width - right, y1: y, y2: y, class: 'grid' }, root);
      svg('text', { x: this.left - 8, y: y + 4, 'text-anchor': 'end' }, root).textContent = +(share * most).toPrecision(3);
    }
    this.hours(root, width < 420 ? 20 : 10, height);
    const drawn = paths(rates, this.x, this.y, this.base);
    svg('path', { d: drawn.area, class: 'area' }, root);
    svg('path', { d: drawn.curve, class: 'curve' }, root);
    this.box.replaceChildren(root);
    this.root = root;
    this.label(rates);
    this.mark();
  }

  // hours writes the time at every so many minutes of the clock.
  hours(root, minutes, height) {
    const length = minutes * 60_000, start = Date.parse(this.data.from), end = +this.time(this.data.rates.length - 1);
    for (let t = Math.ceil(start / length) * length; t <= end; t += length) {
      const x = this.left + ((t - start) / (end - start)) * this.inner;
      if (x < this.left + 12 || x > this.left + this.inner - 12) continue;
      svg('text', { x, y: height - 6, 'text-anchor': 'middle' }, root).textContent = clock(new Date(t));
    }
  }

  label(rates) {
    const known = rates.map((r, i) => [r, i]).filter(([r]) => r !== null);
    if (known.length === 0) {
      const empty = document.createElement('p');
      empty.className = 'empty';
      empty.textContent = 'Nothing is known yet. Workers write a point each 10 seconds.';
      this.box.append(empty);
      this.box.setAttribute('aria-label', `${this.name}: nothing is known yet`);
      return;
    }
    const [most, when] = known.reduce((a, b) => (b[0] > a[0] ? b : a));
    this.box.setAttribute('aria-label',
      `${this.name}: last ${rateText(known.at(-1)[0])} a second, highest ${rateText(most)} at ${clock(this.time(when))}`);
  }

  mark() {
    this.box.querySelectorAll('.cross, .mark, .tip').forEach((e) => e.remove());
    const rate = this.data?.rates[this.at];
    if (rate === undefined || !this.root) return;
    const x = this.x(this.at);
    svg('line', { x1: x, x2: x, y1: 4, y2: this.base, class: 'cross' }, this.root);
    if (rate !== null) svg('circle', { cx: x, cy: this.y(rate), r: 4.5, class: 'mark' }, this.root);
    const tip = document.createElement('div');
    tip.className = 'tip';
    tip.textContent = `${clock(this.time(this.at), true)}  ${rate === null ? 'not known' : `${rateText(rate)}/s`}`;
    this.box.append(tip);
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.min(this.box.clientWidth - half, Math.max(half, x))}px`;
  }
}
