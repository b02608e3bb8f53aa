/**
 * How `npm test` tells: a line as each file ends, failures at once, then totals and, reason by reason, what was skipped.
 * Plain JavaScript, since mocha loads it before anything else. The last lines are those of mocha's own reporters.
 */
import path from "node:path";
import process from "node:process";
import mocha from "mocha";

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } =
	mocha.Runner.constants;

const write = (text) => process.stdout.write(`${text}\n`);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Every file below a suite, in the order in which they run. */
function filesOf(suite, files = new Set()) {
	if (suite.file !== undefined) files.add(suite.file);
	for (const child of suite.suites) filesOf(child, files);
	return files;
}

function reasonOf(test) {
	for (let place = test; place !== undefined; place = place.parent) {
		if (place.skipReason !== undefined) return place.skipReason;
	}
	return "no reason given";
}

export default class FileReporter extends mocha.reporters.Base {
	#files = [];
	#current;
	#done = 0;

	constructor(runner, options) {
		super(runner, options);
		const skipped = new Map();
		runner.once(EVENT_RUN_BEGIN, () => {
			this.#files = [...filesOf(runner.suite)];
			write(`${runner.total} tests in ${this.#files.length} files`);
		});
		runner.on(EVENT_SUITE_BEGIN, (suite) => {
			if (suite.file !== undefined && suite.file !== this.#current?.file) this.#enter(suite.file);
		});
		runner.on(EVENT_TEST_PASS, () => this.#count("passed"));
		runner.on(EVENT_TEST_FAIL, (test, error) => {
			this.#count("failed");
			write(`  FAILED ${test.fullTitle()}\n         ${String(error.message ?? error).split("\n", 1)[0]}`);
		});
		runner.on(EVENT_TEST_PENDING, (test) => {
			this.#count("skipped");
			const reason = reasonOf(test);
			skipped.set(reason, [...(skipped.get(reason) ?? []), test.fullTitle()]);
		});
		runner.once(EVENT_RUN_END, () => {
			this.#leave();
			this.epilogue();
			if (skipped.size > 0) write("  skipped, and what is missing:\n");
			for (const [reason, titles] of skipped)
				write(`  ${reason}:\n${titles.map((title) => `    ${title}`).join("\n")}`);
		});
	}

	#count(outcome) {
		if (this.#current !== undefined) this.#current[outcome]++;
	}

	#enter(file) {
		this.#leave();
		this.#current = { file, started: Date.now(), passed: 0, failed: 0, skipped: 0 };
	}

	#leave() {
		if (this.#current === undefined) return;
		const { file, started, passed, failed, skipped } = this.#current;
		this.#current = undefined;
		this.#done++;
		const place = `[${String(this.#done).padStart(String(this.#files.length).length)}/${this.#files.length}]`;
		const counts = [`${passed} passed`];
		if (failed > 0) counts.push(`${failed} FAILED`);
		if (skipped > 0) counts.push(`${skipped} skipped`);
		write(`${place} ${path.relative(process.cwd(), file)}: ${counts.join(", ")}, ${seconds(Date.now() - started)}`);
	}
}
