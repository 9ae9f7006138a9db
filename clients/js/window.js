/**
 * The reference window: which earlier pictures a frame may name.
 *
 * A picture enters under the id of its frame. A frame that repeats a picture takes it over: it is
 * then known by the new id alone and counts as the newest. While the pictures exceed the window's
 * bytes the oldest leaves; the newest always stays.
 */
export class ReferenceWindow {
  #maxBytes;
  #size = 0;
  // A Map keeps the order of insertion, which is the order of ids.
  #pictures = new Map();

  constructor(maxBytes) {
    this.#maxBytes = maxBytes;
  }

  clear() {
    this.#pictures.clear();
    this.#size = 0;
  }

  find(id) {
    return this.#pictures.get(id);
  }

  add(id, pixels) {
    this.#pictures.set(id, pixels);
    this.#size += pixels.length;
    for (const [oldId, old] of this.#pictures) {
      if (this.#size <= this.#maxBytes || this.#pictures.size === 1) break;
      this.#pictures.delete(oldId);
      this.#size -= old.length;
    }
  }

  takeOver(oldId, id) {
    const pixels = this.#pictures.get(oldId);
    if (pixels !== undefined) {
      this.#pictures.delete(oldId);
      this.#pictures.set(id, pixels);
    }
    return pixels;
  }
}
