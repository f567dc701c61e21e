"""Train the demo base's text encoder and UNet: on any device, resumable at any moment."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import checkpoint
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import AttnProcessor
from lessons import lessons
from nets import new_scheduler, new_text_encoder, new_unet
from torch import Tensor, nn
from transformers import CLIPTokenizer

SEED = 1
AVERAGE_EVERY = 4  # steps: the average costs as much as the optimizer
SAVE_SECONDS = 300
WARM_STEPS = 300


class Net(nn.Module):
    """Both nets that learn, so that one list of parameters serves optimizer and average."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text_encoder = new_text_encoder(vocabulary)
        self.unet = new_unet()

    def forward(self, latents: Tensor, t: Tensor, ids: Tensor) -> Tensor:
        """The velocity that noised latents (B, 4, h, w) at times (B,) are given."""
        context = self.text_encoder(ids).last_hidden_state
        return self.unet(latents, t, context).sample


def velocity_loss(
    net: nn.Module, latents: Tensor, ids: Tensor, draw: tuple, *, bf16: bool
) -> Tensor:
    """Mean squared error of v = a noise - s x0 (arXiv:2202.00512), stratified in time.

    Args:
        net: `Net`, or what was compiled of it.
        latents: x0, (B, 4, h, w).
        ids: Tokens, (B, TOKENS).
        draw: alpha bars (T,), and the generator that all chance comes from.
        bf16: The net's products in bfloat16.
    """
    alphas, rng = draw
    count, device = len(latents), latents.device
    spread = torch.arange(count, device=device) + torch.rand(count, generator=rng, device=device)
    t = (spread / count * len(alphas)).long().clamp(max=len(alphas) - 1)
    a, s = alphas[t].sqrt().view(-1, 1, 1, 1), (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn(latents.shape, generator=rng, device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        made = net(a * latents + s * noise, t, ids)
    return F.mse_loss(made.float(), a * noise - s * latents)


def rate_at(done: float, warm_step: int, peak: float) -> float:
    """Warm up after each start, hold, and fall along a cosine over the last half of the time."""
    falling = max(0.0, (done - 0.5) / 0.5)
    return peak * min(1.0, (warm_step + 1) / WARM_STEPS) * 0.5 * (1 + math.cos(math.pi * falling))


def main() -> None:
    """Train until the time is up, saving every five minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--vae", type=Path, default=Path(__file__).parent / "vae")
    parser.add_argument("--tokenizer", type=Path, default=Path(__file__).parent / "tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint's folder")
    parser.add_argument("--minutes", type=float, default=600, help="in all, over all sittings")
    parser.add_argument("--batch", type=int, default=16, help="256 on a GPU")
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--average", type=float, default=0.999, help="kept of it at each step")
    parser.add_argument("--bf16", action="store_true", help="where a processor has it: 1.8x")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    vae = AutoencoderKL.from_pretrained(args.vae).to(args.device)
    tokenizer = CLIPTokenizer.from_pretrained(args.tokenizer)
    began = time.monotonic()
    data = lessons(args.pack, vae, tokenizer, args.out.with_name("latents"))
    print(f"{len(data.mean)} pictures, {len(data.ids)} lessons, {time.monotonic() - began:.0f} s")
    net = Net(len(tokenizer)).to(args.device)
    if args.device == "cuda":
        net.unet.to(memory_format=torch.channels_last)
    else:
        net.unet.set_attn_processor(AttnProcessor())  # at 256 places faster than the fused kernel
    params = list(net.parameters())
    optimizer = torch.optim.AdamW(
        params, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    progress, average = checkpoint.resume(args.out, net, optimizer)
    averages = [average[name] for name, _ in net.named_parameters()]
    alphas = new_scheduler().alphas_cumprod.to(args.device)
    called = torch.compile(net) if args.compile else net
    first, before = progress.step, progress.seconds
    began = saved = time.monotonic()
    losses: list[Tensor] = []
    while progress.seconds < 60 * args.minutes:
        rng = torch.Generator(args.device).manual_seed(SEED + progress.step)
        rate = rate_at(progress.seconds / 60 / args.minutes, progress.step - first, args.rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        latents, ids = data.batch(args.batch, rng)
        half = args.bf16 or args.device == "cuda"
        loss = velocity_loss(called, latents, ids, (alphas, rng), bf16=half)
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if progress.step % AVERAGE_EVERY == 0:
            keep = min(args.average, (progress.step + 1) / (progress.step + 20)) ** AVERAGE_EVERY
            torch._foreach_lerp_(averages, [p.detach() for p in params], 1 - keep)
        losses.append(loss.detach())
        progress.step += 1
        progress.pictures += args.batch
        if progress.step % 50 == 0:
            mean = torch.stack(losses).mean().item()  # the only wait for a GPU
            losses.clear()
            now = time.monotonic()
            progress.seconds = before + now - began
            speed = (progress.step - first) * args.batch / (now - began)
            print(
                f"{progress.step} loss {mean:.4f} rate {rate:.1e} {progress.seconds:.0f} s "
                f"{speed:.1f} pictures/s",
                flush=True,
            )
        if time.monotonic() - saved > SAVE_SECONDS or progress.seconds >= 60 * args.minutes:
            progress.seconds = before + time.monotonic() - began
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            checkpoint.save(args.out, progress, state | {"average": average}, average)
            saved = time.monotonic()


if __name__ == "__main__":
    main()
