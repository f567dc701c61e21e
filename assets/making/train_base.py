"""Train the demo base's UNet: on any device, resumable at any moment.

First on pictures of 64 px, where a step costs a quarter and things are learnt, then on whole ones,
as Stable Diffusion was. The text encoder (train_text.py) is frozen; what it says of each caption
is computed once.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import checkpoint
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from lessons import WHOLE_PX, Lessons, lessons
from muon import Muon, like_adamw
from nets import new_scheduler, new_unet
from torch import Tensor, nn
from train_text import SMALL_PX
from transformers import CLIPTextModel, CLIPTokenizer

SEED = 1
EMPTY_SHARE = 0.1  # of captions
LATER = 0.8  # powers of the share of times: low noise has few numbers left to learn
AVERAGE_EVERY = 4  # steps: the average costs as much as the optimizer
SAVE_SECONDS = 300
WARM_STEPS = 300
WATCHED = 128  # lessons on which right captions are compared with wrong ones
WATCHED_TIMES = (999, 850, 600, 300)


@torch.no_grad()
def contexts(text_encoder: CLIPTextModel, data: Lessons) -> Tensor:
    """What the text encoder says of every caption, the empty one last, (L + 1, TOKENS, WIDTH)."""
    ids = torch.cat([data.ids, data.empty[None]])
    said = [text_encoder(part).last_hidden_state.bfloat16() for part in ids.split(256)]
    return torch.cat(said)


@dataclass(frozen=True, slots=True)
class Course:
    """One size of pictures to learn from."""

    data: Lessons
    said: Tensor  # of `contexts`
    alphas: Tensor  # alpha bars (T,)
    bf16: bool  # the net's products in bfloat16

    def losses(self, net: nn.Module, latents: Tensor, said: Tensor, at: tuple) -> Tensor:
        """Of each, the mean squared error of v = a noise - s x0 (arXiv:2202.00512), (B,).

        Args:
            net: The UNet, or what was compiled of it.
            latents: x0, (B, C, h, w).
            said: Of its caption, (B, TOKENS, WIDTH).
            at: Times (B,), and noise like latents.
        """
        t, noise = at
        a = self.alphas[t].sqrt().view(-1, 1, 1, 1)
        s = (1 - self.alphas[t]).sqrt().view(-1, 1, 1, 1)
        noised = (a * latents + s * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self.bf16):
            made = net(noised, t, said.float()).sample
        return (made.float() - (a * noise - s * latents)).square().flatten(1).mean(dim=1)

    def loss(self, net: nn.Module, count: int, rng: torch.Generator) -> Tensor:
        """Of so many lessons, stratified in time."""
        device = self.said.device
        chosen, latents = self.data.draw(count, rng)
        emptied = torch.rand(count, generator=rng, device=device) < EMPTY_SHARE
        said = self.said[torch.where(emptied, len(self.said) - 1, chosen)]
        places = torch.arange(count, device=device) + torch.rand(
            count, generator=rng, device=device
        )
        last = len(self.alphas) - 1
        t = ((places / count) ** LATER * len(self.alphas)).long().clamp(max=last)
        noise = torch.randn(latents.shape, generator=rng, device=device)
        return self.losses(net, latents, said, (t, noise)).mean()

    @torch.no_grad()
    def heeded(self, net: nn.Module) -> str:
        """The loss with right and with wrong captions at some times: equal, they are not heeded."""
        device = self.said.device
        rng = torch.Generator(device).manual_seed(SEED)
        chosen, latents = self.data.draw(WATCHED, rng)
        noise = torch.randn(latents.shape, generator=rng, device=device)
        told = []
        for time_ in WATCHED_TIMES:
            at = (torch.full((WATCHED,), time_, device=device), noise)
            right, wrong = (
                self.losses(net, latents, self.said[c], at).mean().item()
                for c in (chosen, chosen.roll(1))
            )
            told.append(f"{time_} {right:.3f}/{wrong:.3f}")
        return ", ".join(told)


def share_at(done: float, warm_step: int) -> float:
    """Of the rate: warmed up after each start, held, falling over the last half of the time."""
    falling = max(0.0, (done - 0.5) / 0.5)
    return min(1.0, (warm_step + 1) / WARM_STEPS) * 0.5 * (1 + math.cos(math.pi * falling))


def courses(args: argparse.Namespace) -> dict[int, Course]:
    """By the pictures' edge, px."""
    vae = AutoencoderKL.from_pretrained(args.vae).to(args.device)
    tokenizer = CLIPTokenizer.from_pretrained(args.tokenizer)
    text_encoder = CLIPTextModel.from_pretrained(args.text, attn_implementation="eager")
    text_encoder = text_encoder.to(args.device)
    alphas = new_scheduler().alphas_cumprod.to(args.device)
    found, said = {}, None
    for edge_px in (SMALL_PX, WHOLE_PX):
        data = lessons(args.pack, vae, tokenizer, args.out.with_name("latents"), edge_px)
        said = contexts(text_encoder, data) if said is None else said
        found[edge_px] = Course(data, said, alphas, args.bf16 or args.device == "cuda")
    return found


def placed(unet: UNet2DConditionModel, device: str) -> UNet2DConditionModel:
    """On a device, as it is fastest there."""
    if device == "cpu":
        unet.set_attn_processor(AttnProcessor())  # at 256 places faster than the fused kernel
    return unet.to(device, memory_format=torch.channels_last)


def main() -> None:
    """Train until the time is up, saving every five minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True, help="of train_text.py")
    parser.add_argument("--vae", type=Path, default=Path(__file__).parents[1] / "demo-base" / "vae")
    parser.add_argument("--tokenizer", type=Path, default=Path(__file__).parent / "tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint's folder")
    parser.add_argument("--minutes", type=float, default=240, help="in all, over all sittings")
    parser.add_argument("--small", type=float, default=0.5, help="of the time on small pictures")
    parser.add_argument("--batch", type=int, default=32, help="of whole pictures; 128 on a GPU")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--average", type=float, default=0.999, help="kept of it at each step")
    parser.add_argument("--bf16", action="store_true", help="where a processor has it: 1.8x")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    began = time.monotonic()
    by_edge = courses(args)
    table = by_edge[WHOLE_PX].data
    print(f"{len(table.mean)} pictures, {len(table.ids)} lessons, {time.monotonic() - began:.0f} s")
    net = placed(new_unet(), args.device)
    params = list(net.parameters())
    inner = [p for n, p in net.named_parameters() if p.ndim > 1 and not n.startswith("conv_")]
    half = torch.bfloat16 if by_edge[WHOLE_PX].bf16 else torch.float32
    muon = Muon(inner, args.rate, like_adamw, half)
    others = [p for n, p in net.named_parameters() if p.ndim == 1 or n.startswith("conv_")]
    optimizer = torch.optim.AdamW(
        others, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    progress, average = checkpoint.resume(args.out, net, optimizer, muon.momentum)
    averages = [average[name] for name, _ in net.named_parameters()]
    called = torch.compile(net) if args.compile else net
    first, before = progress.step, progress.seconds
    began = saved = time.monotonic()
    losses: list[Tensor] = []
    while progress.seconds < 60 * args.minutes:
        rng = torch.Generator(args.device).manual_seed(SEED + progress.step)
        done = progress.seconds / 60 / args.minutes
        share = share_at(done, progress.step - first)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * share
        small = done < args.small
        course = by_edge[SMALL_PX if small else WHOLE_PX]
        count = 2 * args.batch if small else args.batch
        loss = course.loss(called, count, rng)
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        muon.step(share)
        optimizer.step()
        optimizer.zero_grad()
        if progress.step % AVERAGE_EVERY == 0:
            keep = min(args.average, (progress.step + 1) / (progress.step + 20)) ** AVERAGE_EVERY
            torch._foreach_lerp_(averages, [p.detach() for p in params], 1 - keep)
        losses.append(loss.detach())
        progress.step += 1
        progress.pictures += count
        if progress.step % 50 == 0:
            mean = torch.stack(losses).mean().item()  # the only wait for a GPU
            losses.clear()
            progress.seconds = before + time.monotonic() - began
            print(f"{progress.step} loss {mean:.4f} {progress.seconds:.0f} s", flush=True)
        if time.monotonic() - saved > SAVE_SECONDS or progress.seconds >= 60 * args.minutes:
            progress.seconds = before + time.monotonic() - began
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            state |= {"momentum": muon.momentum}
            checkpoint.save(args.out, progress, state | {"average": average}, average)
            saved = time.monotonic()
            heeded = course.heeded(net)
            print(f"{progress.pictures} pictures; right/wrong captions: {heeded}", flush=True)


if __name__ == "__main__":
    main()
