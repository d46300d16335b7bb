import com.alibaba.nacos.NacosServerBasicApplication;
import com.alibaba.nacos.NacosServerWebApplication;
import com.alibaba.nacos.core.listener.startup.NacosStartUp;
import com.alibaba.nacos.core.listener.startup.NacosStartUpManager;
import com.alibaba.nacos.sys.env.DeploymentType;
import com.alibaba.nacos.sys.env.EnvUtil;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** Starts the server of Nacos 3.1, without the console: the jars that are published hold no main class for that. */
public final class NacosLauncher {
  private NacosLauncher() {}

  public static void main(String[] arguments) {
    EnvUtil.setDeploymentType(DeploymentType.SERVER);
    NacosStartUpManager.start(NacosStartUp.CORE_START_UP_PHASE);
    ConfigurableApplicationContext core =
        quiet(NacosServerBasicApplication.class).web(WebApplicationType.NONE).run(arguments);
    NacosStartUpManager.start(NacosStartUp.WEB_START_UP_PHASE);
    quiet(NacosServerWebApplication.class).parent(core).run(arguments);
  }

  private static SpringApplicationBuilder quiet(Class<?> application) {
    return new SpringApplicationBuilder(application).bannerMode(Banner.Mode.OFF);
  }
}
