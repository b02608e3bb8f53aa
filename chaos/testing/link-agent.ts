/**
 * A program that tries links: it sends and receives datagrams, and keeps TCP connections to others of its kind, which echo.
 * Commands come as JSON lines on standard input, and what happens goes to standard output likewise. Times are of the
 * monotonic clock, which all processes of a machine share, so that the way of a datagram can be measured at its end.
 */
import dgram from "node:dgram";
import net from "node:net";
import readline from "node:readline";

export const agentPort = 7000;

export type AgentCommand =
	| { readonly do: "send"; readonly to: string; readonly label: string; readonly count: number }
	/** Over one connection for each address, which is made when it is first needed. */
	| { readonly do: "say"; readonly to: string; readonly label: string };

export type AgentEvent =
	| { readonly what: "ready" }
	| { readonly what: "sent"; readonly label: string }
	/** `number` counts from 0 in the order of sending. */
	| { readonly what: "got"; readonly label: string; readonly number: number; readonly tookMs: number }
	| { readonly what: "echo"; readonly label: string };

if (import.meta.main) serve();

function nowMs(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

function serve(): void {
	const report = (event: AgentEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);
	const socket = dgram.createSocket("udp4");
	socket.on("message", (message) => {
		const { label, number, sentMs } = JSON.parse(message.toString("utf8"));
		report({ what: "got", label, number, tookMs: nowMs() - sentMs });
	});
	const connections = new Map<string, net.Socket>();
	const connection = (to: string) => {
		const open = connections.get(to) ?? net.connect(agentPort, to);
		if (!connections.has(to)) {
			readline.createInterface({ input: open }).on("line", (label) => report({ what: "echo", label }));
			connections.set(to, open);
		}
		return open;
	};
	const send = (to: string, label: string, number: number) => {
		const sentMs = nowMs();
		return new Promise<void>((resolve, reject) => {
			const message = JSON.stringify({ label, number, sentMs });
			socket.send(message, agentPort, to, (error) => (error === null ? resolve() : reject(error)));
		});
	};
	const commands = readline.createInterface({ input: process.stdin });
	commands.on("line", async (line) => {
		const command = JSON.parse(line) as AgentCommand;
		const { to, label } = command;
		if (command.do === "say") return void connection(to).write(`${label}\n`);
		for (let number = 0; number < command.count; number++) await send(to, label, number);
		report({ what: "sent", label });
	});
	commands.on("close", () => process.exit());
	const server = net.createServer((peer) => peer.pipe(peer));
	server.listen(agentPort, () => socket.bind(agentPort, () => report({ what: "ready" })));
}
