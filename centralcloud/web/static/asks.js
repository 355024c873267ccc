// What interrupts a person: toasts, and questions that wait for an answer.
import { store } from "./store.js";

const SHOWN_MS = 6000;

/** Messages on the screen: {id, tone, text}. */
export const toasts = store([]);

/** The question on the screen, or null: {title, text, action, danger, input, answer}. */
export const question = store(null);

let next = 1;

/** Show a message for a while. */
function toast(text, tone = "good") {
  const id = next++;
  toasts.set([...toasts.get(), { id, tone, text }]);
  setTimeout(() => toasts.set(toasts.get().filter((one) => one.id !== id)), SHOWN_MS);
}

/** Ask; resolves to false, or to true (or to what was typed where the question has an `input`). */
export const confirm = (asked) => new Promise((answer) => question.set({ ...asked, answer }));

/** Do something that may fail, and say how it went; resolves to whether it went well. */
export async function attempt(work, done) {
  try {
    const answer = await work();
    toast(typeof done === "function" ? done(answer) : done);
    return true;
  } catch (error) {
    toast(error.message, "bad");
    return false;
  }
}
