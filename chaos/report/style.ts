/** The page's style sheet: light or dark as the reader's system is, from a phone's width on. */

const light = `--ground:#fff;--panel:#f6f7f9;--line:#dde2e9;--grid:#e4e8ee;--text:#1b2330;--soft:#5b6676;
--ok:#1f8a63;--fail:#d98a04;--info:#c2185b;--good:#e2f4ea;--good-text:#12603f;--bad:#fbe4e4;--bad-text:#9c1c1c;
--kill:#d33a3a;--pause:#3d6fd1;--network:#8a4fc9;--disk:#a0682a;--clock:#0f8f9c;--upkeep:#75808f;
--m0:#4477aa;--m1:#c9566b;--m2:#2f8f46;--m3:#a8922a;--m4:#3796b3;--m5:#93386f;--m6:#7d7d7d;--shade:.13`;
const dark = `--ground:#14181f;--panel:#1c222b;--line:#333c49;--grid:#2a323d;--text:#e4e8ee;--soft:#97a2b2;
--ok:#42c493;--fail:#f0ad3d;--info:#f0609a;--good:#143326;--good-text:#8fe0bb;--bad:#421d20;--bad-text:#ffb3b3;
--kill:#f06363;--pause:#6d9bf5;--network:#b585f0;--disk:#d19a58;--clock:#44c0cc;--upkeep:#97a2b2;
--m0:#5f97cf;--m1:#d96b80;--m2:#4aad62;--m3:#bfa93c;--m4:#4fb0cd;--m5:#b85a95;--m6:#989898;--shade:.2`;

const faultNames = ["kill", "pause", "network", "disk", "clock", "upkeep"];
const outcomeNames = ["ok", "fail", "info"];

const perFault = faultNames
	.map(
		(name) => `path.fault.${name}{fill:var(--${name})}.bar.fault.${name},.dot.${name}{background:var(--${name})}
.hit.${name}{--hit:var(--${name})}`,
	)
	.join("\n");

const perOutcome = outcomeNames
	.map(
		(name) => `.op.${name},.spot.${name}{stroke:var(--${name})}.area.${name}{fill:var(--${name})}
.dot.${name},.span.${name}{background:var(--${name})}`,
	)
	.join("\n");

const perMember = Array.from({ length: 7 }, (_, i) => `.member${i}{background:var(--m${i})}`).join("");

const perEdge = ["ww:kill", "wr:ok", "rw:info", "rt:pause"]
	.map((pair) => {
		const [edge, colour] = pair.split(":");
		return `.edge.${edge}{--edge:var(--${colour})}`;
	})
	.join("");

export const style = `
:root{color-scheme:light dark;${light}}
@media(prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;max-width:1400px;margin:0 auto;padding:24px 20px 60px;color:var(--text);background:var(--ground)}
h1{font-size:24px;line-height:1.25;margin:0}h2{font-size:16px;margin:0 0 6px}h3{font-size:14px;margin:0}
small,.note{font-size:12px;font-weight:normal;color:var(--soft)}.note{margin:6px 0}
.over{margin:0;color:var(--soft);font-size:12px;letter-spacing:.08em;text-transform:uppercase}.target{margin:4px 0 0;color:var(--soft)}
section{margin:28px 0}pre,code{font:12px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{overflow-x:auto;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:8px 12px;margin:8px 0}
.copy{user-select:all;white-space:pre-wrap;overflow-wrap:anywhere}
.verdict{font-size:17px;font-weight:600;padding:10px 14px;border-radius:6px;margin:18px 0}
.good{background:var(--good);color:var(--good-text)}.bad{background:var(--bad);color:var(--bad-text)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px;margin:20px 0}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:8px 12px}
.tile dt{font-size:12px;color:var(--soft)}.tile dd{margin:0}.tile b{display:block;font-size:20px;font-weight:600;line-height:1.3}.tile span{font-size:12px;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 14px;font-size:12px;color:var(--soft)}
.dot{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}.dot.ring{border:2px solid var(--text)}
.chart{margin:0 0 20px}.frame{display:grid;grid-template-columns:108px minmax(0,1fr);padding-right:18px}
.gutter{position:relative;font-size:11px;color:var(--soft)}
.gutter span{position:absolute;right:8px;max-width:100px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;transform:translateY(-50%);line-height:13px}
.plot{position:relative;background:var(--panel);outline:1px solid var(--line);overflow:hidden}
.plot svg{position:absolute;inset:0;width:100%;height:100%;display:block}
.plot path{vector-effect:non-scaling-stroke}
.axis{grid-column:2;position:relative;height:18px;font-size:11px;color:var(--soft)}
.axis span{position:absolute;top:3px;transform:translateX(-50%);white-space:nowrap;line-height:13px}
.grid{stroke:var(--grid);stroke-width:1;fill:none}path.fault{opacity:var(--shade)}
.op{stroke-width:var(--lane);fill:none}.spot{stroke-width:3px;stroke-linecap:round;fill:none;opacity:.75}
.area{opacity:.85}.quantile{fill:none;stroke:var(--text);stroke-width:1.5}.quantile.tail{stroke-dasharray:4 3}
.witness{fill:none;stroke:var(--text);stroke-width:2}.term{fill:none;stroke:var(--text);stroke-width:2}
.bar{position:absolute;min-width:2px;border-radius:2px;overflow:hidden;container-type:inline-size;color:#fff;font-size:11px;line-height:16px;white-space:nowrap}
.bar b{font-weight:600;padding:0 4px;display:block;overflow:hidden;text-overflow:ellipsis}
@container(max-width:34px){.bar b{display:none}}@container(max-width:52px){.nobody b,.leads b{display:none}}
.stale{opacity:.45}.nobody{background:repeating-linear-gradient(135deg,var(--kill) 0 5px,transparent 5px 9px);color:var(--text)}
.nobody b{background:var(--panel);width:fit-content;max-width:100%;border-radius:2px;margin:0 auto;line-height:16px}
.hit{border-radius:0;margin-top:-3px;padding:11px 0;background:repeating-linear-gradient(135deg,var(--hit) 0 2px,transparent 2px 6px)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}
th,td{text-align:left;padding:4px 18px 4px 0;vertical-align:top;border-bottom:1px solid var(--line)}th{font-weight:600;font-size:12px;color:var(--soft);white-space:nowrap}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.violation{border:1px solid var(--line);border-left:4px solid var(--kill);border-radius:6px;padding:10px 14px;margin:12px 0}
.violation h3{color:var(--bad-text)}.violation p{margin:2px 0 8px}.violation .note{margin:6px 0}.violation>pre{white-space:pre-wrap;overflow-wrap:anywhere}
.strip{display:grid;grid-template-columns:minmax(120px,2fr) 5fr;gap:12px;align-items:start;padding:2px 0}
.strip code{overflow-wrap:anywhere}.track{position:relative;height:14px;margin-top:2px;background:var(--panel);border:1px solid var(--line);border-radius:2px;overflow:hidden}
.span{position:absolute;top:1px;bottom:1px;min-width:3px;border-radius:2px}
.span.open{-webkit-mask-image:linear-gradient(90deg,#000 40%,transparent);mask-image:linear-gradient(90deg,#000 40%,transparent)}
.cycle{display:flex;flex-wrap:wrap;gap:8px 28px;align-items:center;margin:10px 0}.cycle>div{flex:1 1 320px}.cycle ol{margin:0;padding-left:20px}.figure{flex:0 1 360px;width:100%}
.figure circle{fill:var(--panel);stroke:var(--text);stroke-width:1.5}.figure text{fill:var(--text);font-size:12px;font-weight:600;text-anchor:middle;dominant-baseline:central}
.figure .edge path{fill:none;stroke:var(--edge);stroke-width:2}.figure .edge polygon{fill:var(--edge)}.figure .edge rect{fill:var(--ground)}.figure .edge text{fill:var(--edge)}
i.edge{font:600 12px ui-monospace,monospace;color:var(--edge)}
details summary{cursor:pointer;font-size:12px;color:var(--soft)}
${perFault}
${perOutcome}
${perMember}
${perEdge}
@media(max-width:640px){body{padding:14px 10px 40px}h1{font-size:20px}.frame{grid-template-columns:74px minmax(0,1fr);padding-right:10px}.gutter span{max-width:68px;right:6px}
.axis span:nth-child(even){display:none}.strip{grid-template-columns:1fr;gap:2px;padding:5px 0}th,td{padding-right:12px}}
@media print{body{max-width:none}.chart,.violation{break-inside:avoid}}
`;
