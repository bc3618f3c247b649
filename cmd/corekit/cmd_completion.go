package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// shells are those that cobra writes completions for.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes corekit's command lines",
		Long: `Completion prints a script for a shell, one of bash, fish, powershell and zsh,
that completes verbs, flags and file names. Bash needs the package
bash-completion.`,
		Example: `  source <(corekit completion bash)
  corekit completion bash >/etc/bash_completion.d/corekit
  corekit completion zsh >"${fpath[1]}/_corekit"
  corekit completion fish >~/.config/fish/completions/corekit.fish`,
		Args:      takes("a shell: "+strings.Join(shells, ", "), 1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeCompletion(cmd.Root(), cmd.OutOrStdout(), args[0])
		},
	}
}

func writeCompletion(root *cobra.Command, out io.Writer, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(out, true)
	case "fish":
		return root.GenFishCompletion(out, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(out)
	case "zsh":
		return root.GenZshCompletion(out)
	}
	return usageError{
		fmt.Errorf("no completion for the shell %q; there is one for %s", shell, strings.Join(shells, ", ")),
		"corekit completion --help",
	}
}
