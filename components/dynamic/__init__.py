"""What any dynamic Pulumi provider needs: one base class, a lazy stand-in, the life of the plugin. Knows no cloud."""
