/** Words of the live room: amounts as figures and in capital numerals (大写), sentences with places to fill, speech. */

export function money(fen) {
  const yuan = Math.trunc(Math.abs(fen) / 100);
  const cents = Math.abs(fen) % 100;
  return `${fen < 0 ? "-" : ""}¥${yuan.toLocaleString("en-US")}${cents ? `.${String(cents).padStart(2, "0")}` : ""}`;
}

export const fillIn = (sentence, params) => sentence.replace(/%\((\w+)\)s/g, (_, name) => params[name] ?? "");

export function announce(text, urgent = false) {
  if (text.trim()) document.dispatchEvent(new CustomEvent("market:say", { detail: { text, urgent } }));
}

const DIGITS = "零壹贰叁肆伍陆柒捌玖";
const PLACES = ["", "拾", "佰", "仟"];
const GROUPS = ["", "万", "亿", "万亿"];

function fourDigits(n) {
  let text = "";
  let zero = false;
  for (let place = 3; place >= 0; place -= 1) {
    const digit = Math.floor(n / 10 ** place) % 10;
    if (digit === 0) { zero = text !== ""; continue; }
    text += (zero ? "零" : "") + DIGITS[digit] + PLACES[place];
    zero = false;
  }
  return text;
}

/** An amount in fen as Chinese capital numerals: 123450 → 壹仟贰佰叁拾肆元伍角. */
export function capital(fen) {
  let yuan = Math.trunc(fen / 100);
  const jiao = Math.trunc(fen / 10) % 10;
  const last = fen % 10;
  let text = "";
  let gap = false; // whether the group below does not fill its four places
  for (let group = 0; yuan > 0; group += 1) {
    const part = yuan % 10000;
    if (part) text = fourDigits(part) + GROUPS[group] + (text && gap ? "零" : "") + text;
    gap = part < 1000;
    yuan = Math.floor(yuan / 10000);
  }
  text = text ? `${text}元` : "";
  if (!jiao && !last) return `${text || "零元"}整`;
  if (jiao) text += `${DIGITS[jiao]}角`;
  else if (text) text += "零";
  return last ? `${text}${DIGITS[last]}分` : text;
}
