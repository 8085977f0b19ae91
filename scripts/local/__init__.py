"""The main job on this computer: local cloud up, `pulumi up`, one question answered; and all of it away again."""
