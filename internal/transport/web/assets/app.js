// Everything on these pages works without this file. It keeps the clocks going,
// echoes times in the zones that matter, and makes keys do what links and buttons
// do.

const unit = { d: 86400, h: 3600, min: 60 };

function span(seconds) {
	const s = Math.floor(Math.abs(seconds));
	const d = Math.floor(s / unit.d), h = Math.floor((s % unit.d) / unit.h), m = Math.floor((s % unit.h) / unit.min);
	if (d >= 60) return `${d} d`;
	if (d) return h ? `${d} d ${h} h` : `${d} d`;
	if (h) return m ? `${h} h ${String(m).padStart(2, "0")} min` : `${h} h`;
	return m ? `${m} min` : `${s} s`;
}

// The server's clock counts, not the reader's: the difference is taken once.
const clock = document.querySelector("[data-clock]");
const skew = clock ? Date.parse(clock.dateTime) - Date.now() : 0;
const two = (n) => String(n).padStart(2, "0");
const stamp = (t) => `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())} ${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;

function tick() {
	const now = Date.now() + skew;
	if (clock) clock.textContent = `${stamp(new Date(now))}:${two(new Date(now).getUTCSeconds())}`;
	for (const e of document.querySelectorAll("[data-until]")) {
		const left = (Date.parse(e.dataset.until) - now) / 1000;
		const text = left < 0 ? `${span(left)} ago` : `in ${span(left)}`;
		if (e.textContent !== text) e.textContent = text;
	}
}
tick();
setInterval(tick, 1000);

// A time typed in UTC, in the zones of the program and of the reader.
for (const echo of document.querySelectorAll("[data-echo]")) {
	const field = document.getElementById(echo.dataset.echo);
	field?.addEventListener("input", () => {
		const m = /^\s*(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})\s*$/.exec(field.value);
		const t = m && new Date(`${m[1]}T${m[2]}:00Z`);
		if (!t || isNaN(t)) {
			echo.textContent = "YYYY-MM-DD HH:MM in UTC";
			return;
		}
		echo.textContent = "= " + (field.dataset.zones || "UTC").split(" ").map((zone) =>
			new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(t) + ` ${zone}`).join(", ");
	});
}

for (const button of document.querySelectorAll("[data-copy]")) {
	button.hidden = !navigator.clipboard;
	button.addEventListener("click", async () => {
		const answer = await fetch(button.dataset.copy);
		if (!answer.ok) return;
		await navigator.clipboard.writeText(await answer.text());
		button.textContent = "Copied";
	});
}

// What stands on the page already: a command, a hash.
for (const button of document.querySelectorAll("[data-copy-of]")) {
	const source = document.getElementById(button.dataset.copyOf);
	button.hidden = !navigator.clipboard || !source;
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(source.value ?? source.textContent);
		button.textContent = "Copied";
	});
}

document.querySelector("[data-focus]")?.focus();

// Keys. They can be switched off, since a person who dictates would press them
// without wanting to (WCAG 2.1.4).
const off = () => localStorage.getItem("keys") === "off";
let going = 0;

function act(key) {
	const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
	if (!target) return false;
	if (target instanceof HTMLDetailsElement) target.open = true;
	const goal = target.querySelector("[data-first]") ?? target.querySelector("[data-submit]") ?? target.querySelector("button");
	goal?.scrollIntoView({ block: "nearest" });
	goal?.focus();
	return true;
}

document.addEventListener("keydown", (e) => {
	const field = e.target.closest?.("input, textarea, select, [contenteditable]");
	if (e.key === "Escape" && field) field.blur();
	if (field || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || off()) return;
	const link = Date.now() - going < 1500 && document.querySelector(`[data-go="${CSS.escape(e.key)}"]`);
	going = 0;
	if (link) {
		e.preventDefault();
		link.click();
	} else if (e.key === "g") {
		going = Date.now();
	} else if (e.key === "?") {
		location.assign("/help/keys");
	} else if (e.key === "/") {
		const search = document.querySelector("[data-search]");
		if (!search) return;
		e.preventDefault();
		search.focus();
	} else if (e.key.length === 1 && act(e.key)) {
		e.preventDefault();
	}
});

const keys = document.querySelector("[data-keys]");
if (keys) {
	keys.hidden = false;
	const toggle = keys.querySelector("[data-keys-toggle]"), state = keys.querySelector("[data-keys-state]");
	const show = () => { toggle.textContent = off() ? "Switch single keys on" : "Switch single keys off"; };
	toggle.addEventListener("click", () => {
		localStorage.setItem("keys", off() ? "on" : "off");
		state.textContent = off() ? "Single keys are off in this browser." : "Single keys are on in this browser.";
		show();
	});
	show();
}
